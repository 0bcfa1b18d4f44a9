"""Write the OpenAPI document into the specification (`just openapi`)."""

import sys
from pathlib import Path

import yaml

from taskcore_http import create_app

TARGET = Path(__file__).parents[1] / "specs/001-backend-core/contracts/openapi.yaml"


def main() -> None:
    # Nothing is connected: the document does not depend on a database.
    document = create_app("postgresql://localhost/taskcore").openapi()
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)
    TARGET.write_text(text, "utf-8")
    sys.stdout.write(f"{TARGET}\n")


if __name__ == "__main__":
    main()
