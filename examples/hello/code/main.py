"""Greets whom the environment names, and shows what a task finds around it."""
import os
import sys

print(f"Hello, {os.environ.get('GREETING_NAME', 'world')}! This is Python {sys.version.split()[0]}.")
print(f"I am uid {os.getuid()}, gid {os.getgid()}, in {os.getcwd()}.")
for name in ("AIEP_TASK_ID", "AIEP_NODE", "UPLOAD_CODE_DIR"):
    print(f"{name}={os.environ.get(name, '(not set)')}")
