#!/usr/bin/env bash
# Every benchmark of docs/benchmarks.md, after `npm run build`. The peers live in an environment of their own; nothing else should run meanwhile.
set -euo pipefail
cd "$(dirname "$0")/.."

venv="${BENCH_VENV:-${XDG_CACHE_HOME:-$HOME/.cache}/percept-bench/venv}"
if [ ! -x "$venv/bin/python" ]; then
  python3 -m venv "$venv"
fi
"$venv/bin/python" -c 'import faster_whisper' 2>/dev/null ||
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check faster-whisper
"$venv/bin/python" -c 'import ctranslate2, faster_whisper; print("faster-whisper", faster_whisper.__version__, "on CTranslate2", ctranslate2.__version__)'
node -p '`Node.js ${process.version}, Percept ${require("./package.json").version}, ONNX Runtime ${require("onnxruntime-node/package.json").version}`'

for model in whisper-base whisper-tiny.en; do
  node dist/bench/speech.js --python "$venv/bin/python" --model "$model" --rounds 5
  node dist/bench/speech.js --python "$venv/bin/python" --model "$model" --rounds 1 --variants 8
  node dist/bench/speech.js --python "$venv/bin/python" --model "$model" --rounds 3 --together 8
  node dist/bench/speech.js --python "$venv/bin/python" --model "$model" --rounds 2 --minutes 5
done
