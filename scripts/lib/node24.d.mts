export const root: string;
export function installDependencies(): void;
export function findNode24(): string;
export function sourceEnv(node: string, env?: NodeJS.ProcessEnv): NodeJS.ProcessEnv;
export function runWithNode24(file: string, args: readonly string[]): void;
