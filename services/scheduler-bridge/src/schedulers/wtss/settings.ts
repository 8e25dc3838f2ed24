/** The WTSS of this installation; the operators' word. */
import type { WtssAccess } from "./client/connection.ts";

export interface WtssSettings extends WtssAccess {
  /** In which the server reads crons: WTSS has one zone for all. */
  readonly timeZone: string;
  /** Whom published jobs run as; undefined: the account that published. */
  readonly proxyUser: string | undefined;
  /** Where published jobs find scheduler-bridge. */
  readonly triggerBaseUrl: string;
  /** Where people look at experiments. */
  readonly consoleBaseUrl: string;
}
