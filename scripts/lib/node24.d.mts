export const root: string;
export function sourceEnv(node: string, env?: NodeJS.ProcessEnv): NodeJS.ProcessEnv;
export function runWithNode24(file: string, args: readonly string[]): void;
