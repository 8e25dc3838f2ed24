/** An invented flow of the v1 editor's dialect: check → prepare (python) → train → evaluate. */
export const SAMPLE = {
  edges: [
    {
      source: "n-check",
      target: "n-prep",
      sourceLocation: "bottom",
      targetLocation: "top",
      linkType: "curve",
    },
    {
      source: "n-prep",
      target: "n-train",
      sourceLocation: "bottom",
      targetLocation: "top",
      linkType: "curve",
    },
    {
      source: "n-train",
      target: "n-eval",
      sourceLocation: "bottom",
      targetLocation: "top",
      linkType: "curve",
    },
  ],
  nodes: [
    {
      key: "n-check",
      id: "n-check",
      title: "check_features",
      desc: "wait for yesterday's features",
      jobType: "linkis.appconn.mlflow.datachecker",
      layout: { height: 40, width: 150, x: 400, y: 40 },
      resources: [],
      selected: false,
      params: { configuration: { special: {}, runtime: {}, startup: {} } },
      jobContent: {
        mlflowJobType: "DataChecker",
        method: "/api/rest_j/v1/entrance/execute",
        ManiFest: {
          meta_data: { name: "check_features", description: "wait for yesterday's features" },
          data_setting: {
            data_source: "HiveDB",
            check_timeout: 43200,
            database_table_objects: [
              "risk_dw.features_daily{ds=${run_date}}",
              "risk_dw.labels_month{ds=${run_month_end-1}}",
            ],
          },
        },
      },
    },
    {
      key: "n-prep",
      id: "n-prep",
      title: "prepare",
      desc: "split the data",
      jobType: "linkis.appconn.mlflow.python",
      layout: { height: 40, width: 150, x: 400, y: 140 },
      resources: [],
      selected: false,
      jobContent: {
        mlflowJobType: "Python",
        ManiFest: {
          meta_data: { name: "prepare", description: "split the data", namespace: "ns-demo-risk" },
          image: { image_name: "registry.example:5000/mlss-di", image_version: "py310-cpu" },
          compute_resources: { cpus: 2, gpus: 0, memory: "4Gi" },
          storage: {
            source_type: "MLSSPlatformStorage",
            mlss_platform_parent_dir: "/data/mlss/alice",
            mlss_platform_sub_dir: "demo",
            mapping_path: "/mnt/demo",
            access_mode: "ReadWrite",
          },
          script: {
            command: "for f in a b; do python ${UPLOAD_CODE_DIR}/main.py --date ${run_date} ${f}; done",
            source_code: "import sys\nprint('rows for', sys.argv[-1])\n",
          },
        },
      },
    },
    {
      key: "n-train",
      id: "n-train",
      title: "train",
      desc: "",
      jobType: "linkis.appconn.mlflow.gpu",
      layout: { height: 40, width: 150, x: 400, y: 240 },
      resources: [],
      selected: false,
      jobContent: {
        mlflowJobType: "DistributedModel",
        ManiFest: {
          name: "train",
          description: "",
          version: "1.0",
          job_type: "Local",
          namespace: "ns-demo-risk",
          cpus: 4,
          gpus: 1,
          memory: "16Gi",
          proxy_user: "",
          framework: {
            name: "registry.example/mlss-di",
            version: "torch2-cu121",
            command: "python ${CODE_DIR}/train.py --date ${run_date} --lr ${lr}",
          },
          code_selector: "storagePath",
          data_stores: [
            {
              id: "hostmount",
              type: "mount_volume",
              training_data: { container: "demo/data" },
              training_results: { container: "demo/out" },
              training_workspace: { container: "demo/code" },
              connection: { type: "host_mount", name: "host-mount", path: "/data/mlss/alice" },
            },
          ],
          evaluation_metrics: { type: "fluent-bit" },
          ignore_fail: 0,
        },
      },
    },
    {
      key: "n-eval",
      id: "n-eval",
      title: "evaluate",
      desc: "",
      jobType: "linkis.appconn.mlflow.gpu",
      layout: { height: 40, width: 150, x: 400, y: 340 },
      resources: [],
      selected: false,
      jobContent: {
        mlflowJobType: "DistributedModel",
        ManiFest: {
          name: "evaluate",
          description: "",
          version: "1.0",
          job_type: "Local",
          namespace: "ns-demo-risk",
          cpus: 2,
          gpus: 1,
          memory: "8Gi",
          framework: {
            name: "registry.example/mlss-di",
            version: "torch2-cu121",
            command: "python ${UPLOAD_CODE_DIR}/eval.py",
          },
          code_selector: "codeFile",
          code_path: "s3://di-model/0f3c/eval.zip",
          fileName: "eval.zip",
          data_stores: [
            {
              id: "hostmount",
              type: "mount_volume",
              training_data: { container: "demo/out" },
              training_results: { container: "demo/report" },
              training_workspace: { container: "workspace" },
              connection: { type: "host_mount", name: "host-mount", path: "/data/mlss/alice" },
            },
          ],
          evaluation_metrics: { type: "fluent-bit" },
          ignore_fail: 1,
        },
      },
    },
  ],
  comment: "first draft",
  type: "flow",
  updateTime: 1772323200000,
  props: [{ "user.to.proxy": "alice" }, { lr: "0.001" }],
  resources: [],
  scheduleParams: { proxyuser: "alice" },
  contextID: "",
  labels: { route: "dev" },
  global_variables: [{ key: "lr", type: "string", value: "0.001" }],
};

/** The flow's parts as plain JSON, to be changed by a test. */
export function sampleNode(key: string): (typeof SAMPLE)["nodes"][number] {
  const node = structuredClone(SAMPLE).nodes.find((each) => each.key === key);
  if (node === undefined) throw new Error(`the sample has no node ${key}`);
  return node;
}
