#!/bin/bash
# Try a running stack from outside: health, an image, base64, a batch, jobs, a cancelled job, metrics.
#
#   tests/integration_smoke.sh http://localhost:5001
#
#   API_KEY           for services that require one
#   JOBS=off          for services without a worker
#   METRICS_COMMAND   prints the metrics, where a proxy keeps /metrics from this machine; METRICS_COMMAND=true skips them
#   CURL_CA_BUNDLE    a certificate authority of your own
set -euo pipefail

URL=${1:?usage: tests/integration_smoke.sh URL}
URL=${URL%/}
PHOTO=$(dirname "$0")/../docs/before-after.jpg
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

headers=()
[ -z "${API_KEY:-}" ] || headers=(--header "X-Api-Key: $API_KEY")

passed() { echo "ok  $*"; }
fail() { echo "FAILED  $*" >&2; exit 1; }

# Send a request to a path; print the body, or fail with it.
call() {
    local path=$1 status
    shift
    status=$(curl --silent --show-error --max-time 90 "${headers[@]}" --output "$work/body" --write-out '%{http_code}' "$@" "$URL$path") \
        || fail "$path can't be reached"
    [[ $status == 2* ]] || fail "$path answered $status: $(head -c 500 "$work/body")"
    cat "$work/body"
}

# Print the value of a key of the JSON object on standard input.
value() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

is_png() { [ "$(head -c 8 "$1" | od -An -tx1 | tr -d ' \n')" = 89504e470d0a1a0a ]; }

# Wait until a job has one of these states.
until_job() {
    local id=$1 state
    shift
    for _ in $(seq 300); do
        state=$(call "/api/jobs/$id" | value status)
        [[ " $* " != *" $state "* ]] || return 0
        sleep 0.3
    done
    fail "job $id is $state after 90 s, not $*"
}

health() {
    call /health/live > /dev/null
    call /health/ready > /dev/null
    call /health > "$work/health.json"
    passed "health: $(value status < "$work/health.json")"
}

image() {
    call /remove-background --form "file=@$PHOTO" > "$work/cutout.png"
    is_png "$work/cutout.png" || fail "the image is no PNG"
    passed "image: $(wc -c < "$work/cutout.png") bytes"
}

base64_json() {
    { printf '{"image": "'; base64 "$PHOTO" | tr -d '\n'; printf '"}'; } > "$work/request.json"
    call /remove-background-base64 --header 'Content-Type: application/json' --data-binary "@$work/request.json" \
        | value image | python3 -c 'import base64, sys; sys.stdout.buffer.write(base64.b64decode(sys.stdin.read()))' > "$work/base64.png"
    cmp --silent "$work/cutout.png" "$work/base64.png" || fail "base64 gives another picture than the upload"
    passed "base64: the same bytes"
}

batch() {
    call /api/remove/batch --form "files=@$PHOTO;filename=a.jpg" --form "files=@$PHOTO;filename=b.jpg" > "$work/batch.zip"
    python3 -c 'import sys, zipfile; names = zipfile.ZipFile(sys.argv[1]).namelist(); sys.exit("errors.json" in names or len(names) < 2)' \
        "$work/batch.zip" || fail "the batch lacks images"
    passed "batch: 2 images"
}

job() {
    local id
    id=$(call /api/jobs/remove-bg --form "file=@$PHOTO" | value job_id)
    until_job "$id" finished
    call "/api/jobs/$id/download" > "$work/job.png"
    is_png "$work/job.png" || fail "the job's result is no PNG"
    passed "job: $(wc -c < "$work/job.png") bytes"
}

cancel() {
    local id files=()
    for number in 1 2 3 4 5 6 7 8; do files+=(--form "files=@$PHOTO;filename=$number.jpg"); done
    id=$(call /api/jobs/remove-bg-batch "${files[@]}" --form edges=matting | value job_id)
    call "/api/jobs/$id/cancel" --request POST > /dev/null
    # An image may have ended before.
    until_job "$id" cancelled finished
    passed "cancel: $(call "/api/jobs/$id" | value status)"
}

metrics() {
    if [ -n "${METRICS_COMMAND:-}" ]; then
        bash -c "$METRICS_COMMAND" > "$work/metrics"
        [ -s "$work/metrics" ] || return 0
    else
        call /metrics > "$work/metrics"
    fi
    grep -Eq '^bg_remover_requests_total\{.*endpoint="/remove-background".*\} [1-9]' "$work/metrics" || fail "no request was counted"
    passed "metrics: $(grep -c '^bg_remover_' "$work/metrics") series"
}

health
image
base64_json
batch
if [ "${JOBS:-on}" != off ]; then
    job
    cancel
fi
metrics
echo "the stack works"
