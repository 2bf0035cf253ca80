"""Packs binaries for Lambda: a zip file with one program called `bootstrap`.

Reads {"packages": {PATH OF A ZIP FILE: PATH OF A BINARY}} from standard input and writes
{PATH OF A ZIP FILE: {"sha256": HEX, "bytes": SIZE}} to standard output. The same binary gives the same
file, so a checksum tells whether two builds differ.
"""

import hashlib
import json
import sys
import zipfile


def pack(path, binary):
    # A fixed date: the time of the build would make each file another.
    entry = zipfile.ZipInfo("bootstrap", date_time=(1980, 1, 1, 0, 0, 0))
    entry.external_attr = 0o100755 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    with open(binary, "rb") as code, zipfile.ZipFile(path, "w") as archive:
        archive.writestr(entry, code.read(), compresslevel=9)
    with open(path, "rb") as packed:
        content = packed.read()
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


try:
    packages = json.load(sys.stdin)["packages"]
    json.dump({path: pack(path, binary) for path, binary in packages.items()}, sys.stdout)
except OSError as error:
    sys.exit(str(error))
