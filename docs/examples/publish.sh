#!/bin/bash

# Posts the lines of its input, each once, however often connections break:
#
#     publish.sh URL NAME < EVENTS
#
# NAME and the number of a line are the key of its event.  Run again with the
# same input, it is told the same ids, and nothing is stored twice.

url=$1
name=${2//\\/\\\\}
name=${name//\"/\\\"}

headers=$(mktemp)
trap 'rm -f "$headers"' EXIT

header() {
    sed -n "s/\r$//; s/^$1: //Ip" "$headers"
}

number=0

while IFS= read -r event || [ "$event" ]; do
    number=$((number + 1))

    while true; do

        # 30 seconds are longer than a bus waits for its store
        answer=$(printf '%s' "$event" |
                 curl -sS -m 30 -D "$headers" -w '\n%{http_code}' "$url" \
                      -H 'Content-Type: application/json' \
                      -H "Idempotency-Key: \"$name/$number\"" \
                      --data-binary @-)

        case ${answer##*$'\n'} in

        2??)
            if [ "$(header Idempotency-Replayed)" ]; then
                echo "$(header Msgbus-Id) again"
            else
                echo "$(header Msgbus-Id) new"
            fi

            break
            ;;

        # the first post is still on its way; too often; or it may be stored
        # or not, and the key will tell
        409 | 429 | 5?? | 000)
            echo "$url: ${answer%$'\n'*}" >&2
            pause=$(header Retry-After)
            sleep "${pause:-1}"
            ;;

        *)
            echo "$url: ${answer%$'\n'*}" >&2
            exit 1
            ;;
        esac
    done
done
