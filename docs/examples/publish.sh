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
                      -H 'Prefer: return=representation' \
                      --data-binary @-) || answer=$'not whole\n000'

        # the answer has a body, which shows whether all of it has come; but
        # what has left memory is not shown again: then it is Msgbus-Stored that
        # comes last, behind the id
        id=$(sed -n '1s/^{"id":\([0-9]*\),.*}$/\1/p' <<< "${answer%$'\n'*}")

        if [ "$(header Content-Length)" = 0 ] &&
           [ "$(header Msgbus-Stored)" = all ]
        then
            id=$(header Msgbus-Id)
        fi

        case ${answer##*$'\n'}$id in

        2???*)
            if [ "$(header Idempotency-Replayed)" ]; then
                echo "$id again"
            else
                echo "$id new"
            fi

            break
            ;;

        # the first post is still on its way; too often; or it may be stored
        # or not, and the key will tell
        409 | 429 | 5?? | 000* | 2??)
            echo "$url: ${answer%$'\n'*}" >&2
            pause=$(header Retry-After)

            # a number, and not a date
            [[ $pause =~ ^[0-9]+$ ]] || pause=1
            sleep "$pause"
            ;;

        *)
            echo "$url: ${answer%$'\n'*}" >&2
            exit 1
            ;;
        esac
    done
done
