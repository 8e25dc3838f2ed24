/** Alone in its file: a program that only asks for the version loads no schema. */
export const API_VERSION = "v1";
