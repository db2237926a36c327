#!/usr/bin/env bash
# Every benchmark of docs/benchmarks.md, after `npm run build`. The peers live in an environment of their own; nothing else should run meanwhile.
set -euo pipefail
cd "$(dirname "$0")/.."

venv="${BENCH_VENV:-${XDG_CACHE_HOME:-$HOME/.cache}/percept-bench/venv}"
python="$venv/bin/python"
if [ ! -x "$python" ]; then
  python3 -m venv "$venv"
fi
install_peer() {
  "$python" -m pip install --quiet --disable-pip-version-check "$@"
}
version_of() {
  "$python" -c "import importlib.metadata; print('$1', importlib.metadata.version('$1'))"
}

"$python" -c 'import faster_whisper' 2>/dev/null || install_peer faster-whisper
version_of faster-whisper
version_of ctranslate2

# Built here for this processor: the wheel leaves out AVX-512. It needs a C++ compiler; without one, whisper.cpp is left out.
whisper_cpp=()
version_of pywhispercpp >/dev/null 2>&1 || install_peer --no-binary pywhispercpp pywhispercpp || true
if version_of pywhispercpp 2>/dev/null; then
  whisper_cpp=(--whisper-cpp)
fi
node -p '`Node.js ${process.version}, Percept ${require("./package.json").version}, ONNX Runtime ${require("onnxruntime-node/package.json").version}`'

for model in whisper-base whisper-tiny.en; do
  speech=(node dist/bench/speech.js --python "$python" --model "$model")
  "${speech[@]}" --rounds 5 "${whisper_cpp[@]}"
  "${speech[@]}" --rounds 1 --variants 8
  "${speech[@]}" --rounds 3 --together 8
  "${speech[@]}" --rounds 2 --minutes 5 "${whisper_cpp[@]}"
  node dist/bench/cold-start.js --python "$python" --model "$model"
done
node dist/bench/queue.js ${BENCH_REDIS_URL:+--redis "$BENCH_REDIS_URL"}
node dist/bench/memory.js --python "$python"
node dist/bench/soak.js --minutes 10
