#!/usr/bin/env python3
"""Writes Parquet files as JSON lines, for data sets that are published as Parquet alone.

    pip install pyarrow
    scripts/parquet_to_jsonl.py test-00000-of-00002.parquet test-00001-of-00002.parquet > test.jsonl

Rows keep their order and columns theirs; text is written as UTF-8, without escapes.
"""
import json
import sys


def main() -> int:
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        print(__doc__.strip(), file=sys.stderr)
        return 4
    try:
        import pyarrow.parquet as parquet
    except ImportError:
        print("parquet_to_jsonl.py: found no pyarrow, need it: pip install pyarrow", file=sys.stderr)
        return 6
    for path in sys.argv[1:]:
        for batch in parquet.ParquetFile(path).iter_batches():
            for row in batch.to_pylist():
                print(json.dumps(row, ensure_ascii=False, default=str))
    return 0


if __name__ == "__main__":
    sys.exit(main())
