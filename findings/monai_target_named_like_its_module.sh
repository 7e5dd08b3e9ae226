#!/usr/bin/env bash
# MONAI 1.6.1 on Python 3.12 and newer: a "_target_" in a bundle config that names a function exported under the name of
# its own module gives the module, with a warning and no error. On Python 3.11 the same config gives the function's
# result. MONAI finds targets by pydoc.locate, whose import of a dotted path changed in Python 3.12. A bundle that was
# written and tested on 3.11 then fails far from the cause: a transform is "not invertible", a dataset has no length.
#
# Guessed: the attribute of the package wins on every Python, as in "from package import name".
# Needs python3.11 and python3.12 (or PYTHON_OLD, PYTHON_NEW); installs MONAI and PyTorch into a temporary folder.
set -euo pipefail
old=${PYTHON_OLD:-python3.11} new=${PYTHON_NEW:-python3.12}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

mkdir -p "$folder/toolbox"
printf 'from toolbox.halve import halve\n' >"$folder/toolbox/__init__.py"
printf 'def halve(value):\n    return value / 2\n' >"$folder/toolbox/halve.py"
cat >"$folder/show.py" <<'PYTHON'
import warnings

warnings.simplefilter("ignore")
from monai.bundle import ConfigParser

print(type(ConfigParser({"x": {"_target_": "toolbox.halve", "value": 3.0}}).get_parsed_content("x")).__name__)
PYTHON

for python in "$old" "$new"; do
  environment=$folder/$(basename "$python")
  "$python" -m venv "$environment"
  "$environment/bin/pip" install --quiet --upgrade pip
  "$environment/bin/pip" install --quiet monai==1.6.1 torch==2.13.0 2>/dev/null
done
on_old=$(PYTHONPATH=$folder "$folder/$(basename "$old")/bin/python" "$folder/show.py")
on_new=$(PYTHONPATH=$folder "$folder/$(basename "$new")/bin/python" "$folder/show.py")
echo "MONAI 1.6.1, _target_ toolbox.halve: $("$old" --version) gives a $on_old, $("$new" --version) a $on_new"
[ "$on_old" = float ] && [ "$on_new" = module ]
