#!/usr/bin/env bun
// Stands in for websocat where that is not installed: prints the frames that come, sends the lines that it is given.
const socket = new WebSocket(process.argv.at(-1));
socket.onmessage = ({ data }) => console.log(data);
socket.onclose = () => process.exit();
socket.onopen = async () => {
  for await (const line of console) socket.send(line);
};
