/** Query parameters arrive as one string, or as a list when repeated; a schema sees a list either way. */
import * as z from "zod";

export const oneOrMany = <Item extends z.ZodType>(item: Item) =>
  z.preprocess((value) => (value === undefined || Array.isArray(value) ? value : [value]), z.array(item));
