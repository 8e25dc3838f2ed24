/** How a form shows a manifest: labels in both languages, widgets, order and groups. JSON Schema says what is valid. */

export interface Text {
  readonly zh: string;
  readonly en: string;
}

/** What a field is edited with; a form that knows no such widget shows the plain one of the schema's type. */
export type Widget =
  | "text"
  | "multiline"
  | "number"
  | "switch"
  | "select"
  | "list"
  | "map"
  | "shell"
  | "python"
  | "json"
  | "duration"
  | "datetime"
  | "image"
  | "namespace"
  | "storage-root"
  | "sub-folder"
  | "proxy-user"
  | "gpu-type"
  | "code-package"
  | "material"
  | "experiment"
  | "user-list"
  | "secret-name";

export interface FieldHint {
  /** Dotted path below the manifest; `[]` stands for every entry of a list: `data_info[].mapping_path`. */
  readonly path: string;
  readonly label: Text;
  readonly widget: Widget;
  /** Id of a group. Fields are shown in the order of this list. */
  readonly group: string;
  readonly placeholder?: string;
  readonly unit?: Text;
}

export interface ComponentForm {
  readonly groups: readonly { readonly id: string; readonly title: Text }[];
  readonly fields: readonly FieldHint[];
}
