"""Writes `generated/` from the protos, and the descriptor image that buf lints.

Imports that other packages ship (`buf/validate`) are taken from those packages as descriptors, so that no
foreign proto is copied into the tree.

    python protos/generate.py stubs FOLDER     writes the Python stubs and the comments into FOLDER, emptied first
    python protos/generate.py image FILE       writes a buf image with comments
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, duration_pb2, field_mask_pb2, timestamp_pb2
from protovalidate._gen.buf.validate import validate_pb

ROOT = Path(__file__).parent
VALIDATE = "buf/validate/validate.proto"
# Field 8042 of a FileDescriptorProto is buf's image extension; {1: true} in it says "an import, do not lint".
IS_IMPORT = b"\xd2\xf6\x03\x02\x08\x01"


def dependencies() -> descriptor_pb2.FileDescriptorSet:
    """Descriptors of everything that the protos import from elsewhere."""
    files = descriptor_pb2.FileDescriptorSet()
    for module in (descriptor_pb2, duration_pb2, field_mask_pb2, timestamp_pb2):
        module.DESCRIPTOR.CopyToProto(files.file.add())
    files.file.add().ParseFromString(validate_pb.desc().proto.to_binary())
    return files


def protoc(folder: Path, *arguments: str) -> None:
    """Runs protoc over our protos with the plugins of this interpreter's environment."""
    described = folder / "dependencies.binpb"
    described.write_bytes(dependencies().SerializeToString())
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT}", f"--descriptor_set_in={described}", *arguments]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    done = subprocess.run(command, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        sys.exit(done.stderr)


def ours() -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("mintmark/**/*.proto"))


def stubs(target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder:
        protoc(Path(folder), f"--python_out={target}", f"--mypy_out=quiet:{target}", VALIDATE, *ours())
        protoc(Path(folder), f"--grpc_python_out={target}", f"--mypy_grpc_out=quiet:{target}", *ours())
    comments(target)
    for empty in target.glob("**/*_pb2_grpc.py"):
        if "class " not in empty.read_text():
            empty.unlink()
            empty.with_suffix(".pyi").unlink(missing_ok=True)


def comments(target: Path) -> None:
    """Writes what the protos say of each of their elements, which the stubs don't have, beside the stubs."""
    with tempfile.TemporaryDirectory() as folder:
        described = Path(folder) / "described.binpb"
        protoc(Path(folder), "--include_source_info", f"--descriptor_set_out={described}", *ours())
        files = descriptor_pb2.FileDescriptorSet.FromString(described.read_bytes())
    said: dict[Path, dict[str, str]] = {}
    for file in files.file:
        found = said.setdefault(target / Path(file.name).parent / "comments.json", {})
        for location in file.source_code_info.location:
            text = " ".join(line.strip() for line in location.leading_comments.splitlines())
            if text and (name := element(file, list(location.path))):
                found[f"{file.package}.{name}"] = text
    for path, found in said.items():
        path.write_text(json.dumps(found, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def element(file: descriptor_pb2.FileDescriptorProto, path: list[int]) -> str:
    """The name of the element that a path of SourceCodeInfo leads to; empty where that has none."""
    here: Any = file
    names = []
    while path:
        field = here.DESCRIPTOR.fields_by_number.get(path.pop(0))
        if field is None or field.message_type is None or not field.is_repeated or not path:
            return ""
        here = getattr(here, field.name)[path.pop(0)]
        names.append(getattr(here, "name", ""))
    return ".".join(names)


def image(target: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        protoc(Path(folder), "--include_source_info", "--include_imports", f"--descriptor_set_out={target}", *ours())
    files = descriptor_pb2.FileDescriptorSet.FromString(target.read_bytes())
    for file in files.file:
        if not file.name.startswith("mintmark/"):
            file.MergeFromString(IS_IMPORT)
    target.write_bytes(files.SerializeToString())


if __name__ == "__main__":
    {"stubs": stubs, "image": image}[sys.argv[1]](Path(sys.argv[2]))
