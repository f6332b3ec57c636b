#!/bin/bash
# On the board, once after each deploy: sudo bash m3vit/install.sh
# Installs the package beside this file into PYNQ's environment, which belongs to root, and lets
# root (whom Jupyter runs as) find the bitstream in its home too.
set -e
here=$(cd "$(dirname "$0")" && pwd)
source "${PYNQ_PROFILE:-/etc/profile.d/pynq_venv.sh}"
pip install --no-deps --force-reinstall "$here"/m3vit-*.whl
if [ "$here" != "$HOME/m3vit" ]; then
    ln -sfn "$here" "$HOME/m3vit"
fi
