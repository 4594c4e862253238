#!/usr/bin/env bash
# Runs the README's program, all stories and schemathesis against ephemeral servers of the program that is
# given: clients/run.sh PATH_TO_FOLKMOOT [SECONDS]
# SECONDS is how long schemathesis goes on. Without it, it is short, with the seed in FOLKMOOT_SEED,
# or 1.
# Where FOLKMOOT_TEST_POSTGRES is the address of a PostgreSQL, such as postgres://folkmoot@127.0.0.1:5432,
# it runs the stories alone, against a durable server on a database that it makes there and drops; and
# schemathesis, if it has SECONDS.
# The libraries are kept below ${FOLKMOOT_CACHE:-$HOME/.cache/folkmoot}/clients, one folder for each
# state of the files that pin them.
set -euo pipefail

fail() {
    echo "clients: $*" >&2
    exit 1
}

[ $# -eq 1 ] || [ $# -eq 2 ] || fail "usage: clients/run.sh PATH_TO_FOLKMOOT [SECONDS]"
binary=$1
seconds=${2:-}
[ -x "$binary" ] || fail "'$binary' is not a program"
postgres=${FOLKMOOT_TEST_POSTGRES:-}
for tool in python3 node npm git ${postgres:+psql}; do
    command -v "$tool" >/dev/null || fail "$tool is needed"
done

here=$(cd "$(dirname "$0")" && pwd)
cache=${FOLKMOOT_CACHE:-$HOME/.cache/folkmoot}/clients
work=$(mktemp -d)
servers=()
database=
stop() {
    if [ ${#servers[@]} -gt 0 ]; then
        kill "${servers[@]}" 2>/dev/null || true
        wait "${servers[@]}" 2>/dev/null || true
    fi
    rm -rf "$work"
    if [ -n "$database" ]; then
        sql "drop database $database with (force)"
    fi
}
trap stop EXIT
# A signal ends the script through its EXIT trap.
trap 'exit 130' INT
trap 'exit 143' TERM

# A statement to the PostgreSQL, in the database that each has; a user's ~/.psqlrc is not read.
sql() {
    psql --no-psqlrc --quiet --dbname "$postgres/postgres" --command "$1"
}

# The first digits of a hash over a program's version and the files that pin its libraries.
key() {
    { "$1" --version && cat "${@:2}"; } | git hash-object --stdin | cut -c1-16
}

# Makes a folder of libraries with the function named $2, unless it is there. It gets its name when it
# is complete, so neither a broken installation nor another run's half of one is ever used.
provide() {
    local folder=$1 half
    if [ -d "$folder" ]; then
        return
    fi
    echo "clients: installing into $folder"
    mkdir -p "$cache"
    half=$(mktemp -d "$folder.XXXXXX")
    if ! "$2" "$half"; then
        rm -rf "$half"
        fail "$2 failed"
    fi
    if [ -d "$folder" ]; then
        # Another run was faster; its folder is as good.
        rm -rf "$half"
    else
        mv "$half" "$folder"
    fi
}

install_pinned() {
    python3 -m venv "$2" &&
        "$2/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$1/requirements.txt"
}

install_python() {
    install_pinned "$here/python" "$1"
}

install_schemathesis() {
    install_pinned "$here/schemathesis" "$1"
}

# From the files of the folder $1 into the folder $2.
install_npm() {
    cp "$here/$1"/package*.json "$2" &&
        npm ci --prefix "$2" --ignore-scripts --no-audit --no-fund --silent
}

install_javascript() {
    install_npm javascript "$1"
}

install_odata2ts() {
    install_npm odata2ts "$1"
}

python=$cache/python-$(key python3 "$here/python/requirements.txt")
javascript=$cache/javascript-$(key node "$here/javascript/package-lock.json")
odata2ts=$cache/odata2ts-$(key node "$here/odata2ts/package-lock.json")
schemathesis=$cache/schemathesis-$(key python3 "$here/schemathesis/requirements.txt")
provide "$python" install_python
provide "$schemathesis" install_schemathesis
provide "$javascript" install_javascript
provide "$odata2ts" install_odata2ts

# Starts a server on the folder $1 with more arguments and leaves its address in $url.
serve() {
    local folder=$1 ready
    mkfifo "$folder.output"
    "$binary" serve --listen 127.0.0.1:0 --data "$folder" "${@:2}" >"$folder.output" &
    servers+=($!)
    exec {output}<"$folder.output"
    IFS= read -r -t 60 -u "$output" ready || fail "the server has not said that it is ready"
    url=${ready#ready }
    [ "$url" != "$ready" ] || fail "the server said '$ready' and not 'ready URL'"
}

# The program in the README, at a server that took another port.
run_readme() {
    local printed
    serve "$work/plain" --ephemeral
    sed -n '/^```python$/,/^```$/p' "$here/../README.md" | grep -v '^```' |
        sed "s#http://127.0.0.1:8080#$url#" >"$work/readme.py"
    printed=$("$python/bin/python" "$work/readme.py") || fail "the README's program fails"
    case $printed in
    *"'topic': 'Lunch'"*"At noon?"*) echo "README: its program prints what it posted" ;;
    *) fail "the README's program printed '$printed'" ;;
    esac
}

# Whether a description is one, by the validator's own word: that of a strict server and of the other.
validate() {
    local described=$work/openapi${1:-}.json
    "$python/bin/python" -c 'import sys, requests; print(requests.get(sys.argv[1]).text)' "$url/openapi.json" \
        >"$described" && "$schemathesis/bin/python" -m openapi_spec_validator "$described"
}

# All that the description offers is asked, well and badly, and every answer held against it. In the short
# form, what is reached by two ways is asked by the shorter one.
fuzz() {
    local extent=(--max-examples 3 --exclude-path-regex '/conversations/\{conversation-id\}/threads/\{')
    local seed=${FOLKMOOT_SEED:-1}
    if [ -n "$seconds" ]; then
        extent=(--max-time "$seconds")
        seed=${FOLKMOOT_SEED:-$RANDOM}
    fi
    echo "schemathesis: seed $seed, ${seconds:-a short run}"
    # It writes beside its configuration. Its messages show a call as curl, without the token.
    cp -r "$here/schemathesis" "$work/schemathesis"
    (cd "$work/schemathesis" && "$schemathesis/bin/python" \
        -c 'from schemathesis.cli import schemathesis; schemathesis()' --no-color run "$url/openapi.json" --seed "$seed" \
        --phases coverage,fuzzing --warnings off "${extent[@]}" >"$work/schemathesis.log" 2>&1) || {
        cat "$work/schemathesis.log"
        return 1
    }
    sed -n 's/^ *\([0-9]* generated\)/schemathesis: \1/p' "$work/schemathesis.log"
}

if [ -n "$postgres" ]; then
    # Other runs may use the same PostgreSQL meanwhile. The trap learns the name once there is one to drop.
    name=folkmoot_clients_$$_$RANDOM
    sql "create database $name"
    database=$name
    serve "$work/data" --tls dev --store "$postgres/$database"
    # Only an ephemeral server gives tokens over HTTP.
    FOLKMOOT_TOKEN_COMMAND=$(printf '%q ' "$binary" token --data "$work/data" --store "$postgres/$database")
    # Three lines, each a name, an equals sign and what the stories want.
    FOLKMOOT_APP=$("$binary" app add --name robot --role Group.ReadWrite.All --data "$work/data" |
        cut -d= -f2 | paste -sd ' ')
    redirects=(--redirect http://localhost/signed-in --redirect http://localhost)
    FOLKMOOT_PUBLIC_APP=$("$binary" app add --name phone --public "${redirects[@]}" --data "$work/data" |
        sed -n 's/^client_id=//p')
    FOLKMOOT_USER=ada@example.org
    FOLKMOOT_PASSWORD="correct horse battery & staple"
    "$binary" user add "$FOLKMOOT_USER" --data "$work/data" >"$work/user"
    "$binary" user password "$FOLKMOOT_USER" --data "$work/data" >"$work/user" <<<"$FOLKMOOT_PASSWORD"
    export FOLKMOOT_TOKEN_COMMAND FOLKMOOT_APP FOLKMOOT_PUBLIC_APP FOLKMOOT_USER FOLKMOOT_PASSWORD
    echo "clients: a durable server on PostgreSQL, in the database $database"
else
    # One that is left from a story told by hand is another server's.
    unset FOLKMOOT_TOKEN_COMMAND FOLKMOOT_APP FOLKMOOT_PUBLIC_APP
    run_readme
    serve "$work/data" --ephemeral --tls dev
fi
export FOLKMOOT_URL=$url
export SSL_CERT_FILE=$work/data/ca.pem REQUESTS_CA_BUNDLE=$work/data/ca.pem
export NODE_EXTRA_CA_CERTS=$work/data/ca.pem
# Modules are looked for beside the file that wants them.
mkdir "$work/javascript" "$work/odata2ts"
ln -s "$javascript/node_modules" "$work/javascript/node_modules"
cp "$here/javascript/story.mjs" "$work/javascript"
ln -s "$odata2ts/node_modules" "$work/odata2ts/node_modules"
cp "$here"/odata2ts/{package.json,tsconfig.json,odata2ts.config.ts,story.ts} "$work/odata2ts"

# Makes a client of what the server says of itself, has the compiler check the story against it, tells it.
run_odata2ts() (
    cd "$work/odata2ts"
    if ! npx --no-install odata2ts >generation 2>&1; then
        cat generation
        return 1
    fi
    npx --no-install tsc && node out/story.js
)

failed=()
"$python/bin/python" "$here/python/story.py" || failed+=(python)
node "$work/javascript/story.mjs" || failed+=(javascript)
run_odata2ts || failed+=(odata2ts)
if [ -z "$postgres" ] || [ -n "$seconds" ]; then
    validate || failed+=(description)
    fuzz || failed+=(schemathesis)
fi
if [ -z "$postgres" ]; then
    serve "$work/strict" --ephemeral --strict-graph
    validate -strict || failed+=(description)
fi
kill -0 "${servers[@]}" 2>/dev/null || fail "the server has ended by itself"
[ ${#failed[@]} -eq 0 ] || fail "failed: ${failed[*]}"
