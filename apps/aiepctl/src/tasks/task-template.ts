/** Commented task files to start from, one a mode. A test parses each of them. */

export type TemplateMode = "standalone" | "ddp" | "ps-worker";

/** What is known about the caller; placeholders stand for the rest. */
export interface TemplateFacts {
  groupId?: string | undefined;
  namespace?: string | undefined;
  image?: string | undefined;
  storageRoot?: string | undefined;
}

const NODES: Readonly<Record<TemplateMode, string>> = {
  standalone: `  # Standalone: one node.
  model: Standalone
  node_info:
    worker:
      nums: 1
      cpu_num: 1      # cores of one node, fractions allowed
      memory: 2       # GB of one node
      # gpu_num: 1
      # gpu_type: <name of the directory>`,
  ddp: `  # DDP (PyTorch): worker number 0 of them is the master (RANK=0); there is no master key.
  model: DDP
  node_info:
    worker:
      nums: 2
      cpu_num: 1      # cores of one node, fractions allowed
      memory: 2       # GB of one node
      # gpu_num: 1
      # gpu_type: <name of the directory>`,
  "ps-worker": `  # PS-Worker (TensorFlow): parameter servers and workers find each other through TF_CONFIG.
  model: PS-Worker
  node_info:
    ps:
      nums: 1
      cpu_num: 1
      memory: 2
    worker:
      nums: 2
      cpu_num: 1      # cores of one node, fractions allowed
      memory: 2       # GB of one node`,
};

const COMMANDS: Readonly<Record<TemplateMode, string>> = {
  standalone: `    echo "hello from $(hostname)"
    # python3 \${UPLOAD_CODE_DIR}/main.py`,
  ddp: `    echo "node \${RANK} of \${WORLD_SIZE}, master \${MASTER_ADDR}:\${MASTER_PORT}"
    # python3 -m torch.distributed.launch --nnodes=\${WORLD_SIZE} --node_rank=\${RANK} \\
    #   --nproc_per_node=\${PET_NPROC_PER_NODE} --master_addr=\${MASTER_ADDR} --master_port=\${MASTER_PORT} \\
    #   \${UPLOAD_CODE_DIR}/train.py`,
  "ps-worker": `    echo "\${TF_CONFIG}"
    # python3 \${UPLOAD_CODE_DIR}/train.py`,
};

/** A YAML string, quoted only where it must be. */
const text = (value: string) =>
  /^[A-Za-z/][\w./:-]*$/.test(value) && !/:$/.test(value) ? value : JSON.stringify(value);

export function renderTaskFile(mode: TemplateMode, facts: TemplateFacts): string {
  const group =
    facts.groupId === undefined
      ? "  # group_id: <your group>; not needed when you are in one only"
      : `  group_id: ${text(facts.groupId)}`;
  return `# Task file. What a field means: aiepctl mltask explain FIELD
# Check it: aiepctl mltask validate -f FILE      Run it: aiepctl mltask run -f FILE
metadata:
  name: ${mode}-demo
${group}
  # description: free text
  # labels: [{key: team, value: nlp}]
  # proxy_user: <one of your proxy users, to run as that user>

image_info:
  # A registered image by name, or any allowed one by url.
  name: ${text(facts.image ?? "python")}

compute_resource_info:
  namespace: ${text(facts.namespace ?? "ns-demo")}
${NODES[mode]}
  # run_limit_seconds: 604800

# Folders of the shared storage. access_mode is Read (default) or ReadWrite.
# data_info:
#   - mlss_platform_parent_dir: ${facts.storageRoot ?? "/data/my-root"}
#     mlss_platform_sub_dir: data
#     mapping_path: /mnt/data          # empty: the same path as outside
#     mapping_path_name: DATA_DIR      # this variable gets mapping_path as its value
#     access_mode: ReadWrite

code_info:
  # A shell script, run by sh on every node. --upload-code unpacks a zip into \${UPLOAD_CODE_DIR}.
  command: |
${COMMANDS[mode]}

# A model or process line, placed as a zip at \${DEPEND_RESOURCE_PATH}/\${DEPEND_RESROUCE_FILENAME}.
# material_info:
#   type: Model
#   model_id: <id>
#   model_version_id: <id>
`;
}
