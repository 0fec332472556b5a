# SPDX-License-Identifier: Apache-2.0
"""junit_count.py FILE: prints `passed failed skipped` of a JUnit file (pytest's or ctest's)."""
import sys
import xml.etree.ElementTree


def count(path):
    passed = failed = skipped = 0
    for case in xml.etree.ElementTree.parse(path).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif case.find("skipped") is not None:
            skipped += 1
        else:
            passed += 1
    return passed, failed, skipped


if __name__ == "__main__":
    print(*count(sys.argv[1]))
