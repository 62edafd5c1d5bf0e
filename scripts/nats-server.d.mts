export const natsServer: string;
