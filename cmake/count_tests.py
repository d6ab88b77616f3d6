"""Adds up JUnit files of ctest and pytest and closes with one line: "N passed, N failed, N skipped"."""
import sys
import xml.etree.ElementTree as ET


def main(paths):
    total = {"passed": 0, "failed": 0, "skipped": 0}
    for path in paths:
        try:
            root = ET.parse(path).getroot()
        except (OSError, ET.ParseError) as error:
            print(f"{path}: {error}")
            total["failed"] += 1
            continue
        for case in root.iter("testcase"):
            if case.find("failure") is not None or case.find("error") is not None or case.get("status") == "fail":
                total["failed"] += 1
                print(f"failed: {case.get('classname', '')} {case.get('name', '')}")
            elif case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
                total["skipped"] += 1
            else:
                total["passed"] += 1
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**total))
    return 1 if total["failed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
