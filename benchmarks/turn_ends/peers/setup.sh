#!/bin/sh
# Make a virtual environment for each framework that endpointing is compared with: DIR/pipecat and DIR/livekit, about 1 GB.
# Usage: ./setup.sh DIR
set -eu
dir=${1:?usage: setup.sh DIR}
python=${PYTHON:-python3.11}

make_venv() { # name, requirement
    [ -x "$dir/$1/bin/python" ] || "$python" -m venv "$dir/$1"
    "$dir/$1/bin/pip" install --quiet "$2"
}

make_venv pipecat "pipecat-ai==1.14.0"
make_venv livekit "livekit-agents==1.8.9"
