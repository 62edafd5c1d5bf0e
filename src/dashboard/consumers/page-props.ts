import type { ConsumerWithSecret } from "../../client/index.ts";
import type { ViewProps } from "../state/parts.ts";

/** The properties of what is about one consumer. */
export type PageProps = ViewProps & {
  readonly name: string;
  /** It has a new secret. */
  readonly onSecret: (consumer: ConsumerWithSecret) => void;
};
