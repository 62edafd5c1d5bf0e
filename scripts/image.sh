#!/usr/bin/env bash
# Builds the container image, and tries it: image.sh [docker|podman|buildah], by default the first that is there. The server
# must refuse to start while nothing restricts access, take a token and an event, be healthy, stop clean, and have the event
# after its next start. It listens on PORT (9897) of this machine. buildah needs no daemon and no namespaces, only root.
set -euo pipefail
cd "$(dirname "$0")/.."

engine=${1:-$(basename "$(type -P docker podman buildah | head -n 1)")}
port=${PORT:-9897} tag=eventbus-check url=http://127.0.0.1:${PORT:-9897}
scratch=$(mktemp -d)
container='' server='' secret='' # container: buildah's; server: the process that runs it

main() {
  build
  trap clean EXIT
  in_image version --json | tee "$scratch/version"
  grep --quiet "\"commit\":\"$(git rev-parse HEAD)\"" "$scratch/version"
  ! in_image serve 2>"$scratch/refusal" && grep 'create a token first' "$scratch/refusal"
  secret=$(in_image token create ops --admin 2>/dev/null)
  start
  api publish/image.checked --data '{"total":1.10}' | grep '"total":1.10'
  stop
  start
  api 'history?topic=image.*' | grep '"total":1.10'
  stop
  echo "the image works with $engine"
}

build() {
  local commit=COMMIT=$(git rev-parse HEAD)
  case $engine in
    docker) docker build --tag $tag --build-arg "$commit" . ;;
    podman) podman build --format docker --tag $tag --build-arg "$commit" . ;;
    # The format of the OCI has no health checks.
    buildah) buildah build --isolation chroot --layers --format docker --tag $tag --build-arg "$commit" . ;;
    *) echo "none of docker, podman and buildah is here" >&2 && exit 1 ;;
  esac
  [[ $engine != buildah ]] || container=$(buildah from --pull-never localhost/$tag)
}

# The image with these arguments, as a user would run it, on the network of this machine.
in_image() {
  if [[ $engine == buildah ]]; then
    buildah run --isolation chroot --env "EVENTBUS_PORT=$port" "$container" -- eventbus "$@"
  else
    "$engine" run --rm --name "$tag-$1" --network host --env "EVENTBUS_PORT=$port" --volume $tag:/data $tag "$@"
  fi
}

start() {
  in_image serve 2>"$scratch/log" &
  server=$!
  for _ in {1..60}; do
    in_image healthcheck 2>"$scratch/health" && return
    sleep 1
  done
  cat "$scratch/log" "$scratch/health"
  return 1
}

# SIGTERM, as an engine sends it. buildah would kill the program instead of passing it on.
stop() {
  if [[ $engine == buildah ]]; then
    kill -TERM "$(program_below "$server")"
  else
    "$engine" stop $tag-serve >/dev/null
  fi
  wait "$server"
}

# The process of the program among the descendants of a process.
program_below() {
  local child
  for child in $(pgrep --parent "$1"); do
    if [[ $(ps --no-headers --format comm "$child") == eventbus ]]; then
      echo "$child"
    else
      program_below "$child"
    fi
  done
}

api() {
  local path=$1
  curl --fail --silent --show-error --header "Authorization: Bearer $secret" "$url/api/events/$path" "${@:2}"
}

clean() {
  [[ $engine != buildah ]] || buildah rm "$container" >/dev/null
  [[ $engine == buildah ]] || "$engine" volume rm $tag >/dev/null
  rm -rf "$scratch"
}

main
