#!/usr/bin/env bash
# Runs the README's program and both stories against ephemeral servers of the program that is given:
# clients/run.sh PATH_TO_FOLKMOOT
# Where FOLKMOOT_TEST_POSTGRES is the address of a PostgreSQL, such as postgres://folkmoot@127.0.0.1:5432,
# it runs the stories alone, against a durable server on a database that it makes there and drops.
# The libraries are kept below ${FOLKMOOT_CACHE:-$HOME/.cache/folkmoot}/clients, one folder for each
# state of the files that pin them.
set -euo pipefail

fail() {
    echo "clients: $*" >&2
    exit 1
}

[ $# -eq 1 ] || fail "usage: clients/run.sh PATH_TO_FOLKMOOT"
binary=$1
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

install_python() {
    python3 -m venv "$1" &&
        "$1/bin/python" -m pip install --quiet --disable-pip-version-check \
            --requirement "$here/python/requirements.txt"
}

install_javascript() {
    cp "$here"/javascript/package*.json "$1" &&
        npm ci --prefix "$1" --ignore-scripts --no-audit --no-fund --silent
}

python=$cache/python-$(key python3 "$here/python/requirements.txt")
javascript=$cache/javascript-$(key node "$here/javascript/package-lock.json")
provide "$python" install_python
provide "$javascript" install_javascript

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
    export FOLKMOOT_TOKEN_COMMAND FOLKMOOT_APP
    echo "clients: a durable server on PostgreSQL, in the database $database"
else
    # One that is left from a story told by hand is another server's.
    unset FOLKMOOT_TOKEN_COMMAND FOLKMOOT_APP
    run_readme
    serve "$work/data" --ephemeral --tls dev
fi
export FOLKMOOT_URL=$url
export SSL_CERT_FILE=$work/data/ca.pem REQUESTS_CA_BUNDLE=$work/data/ca.pem
export NODE_EXTRA_CA_CERTS=$work/data/ca.pem
# Modules are looked for beside the file that wants them.
ln -s "$javascript/node_modules" "$work/node_modules"
cp "$here/javascript/story.mjs" "$work/story.mjs"

failed=()
"$python/bin/python" "$here/python/story.py" || failed+=(python)
node "$work/story.mjs" || failed+=(javascript)
kill -0 "${servers[@]}" 2>/dev/null || fail "the server has ended by itself"
[ ${#failed[@]} -eq 0 ] || fail "failed against $url: ${failed[*]}"
