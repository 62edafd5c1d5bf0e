export function faultsOf(manifest: object, lock: object): string[];
export function verdictOf(text: string): { faults: string[] } | { notAudited: string };
export function noticesOf(lock: object, folder: string): string;
