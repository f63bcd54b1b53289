# Completion of vida's command line for bash. Every word comes from the program itself: from its help, and from
# 'vida schema --words', which prints each setting with what it accepts.

_vida_commands() {
  "$1" --help 2>/dev/null | awk '/^Subcommands:/ { on = 1; next } on && /^  [a-z]/ { print $1 }'
}

_vida_options() {
  "$1" "$2" --help 2>/dev/null | awk '/^ +-/ { count = split($1, names, ","); for (i = 1; i <= count; ++i) print names[i] }'
}

_vida_devices() {
  echo auto cpu cuda
  "$1" info 2>/dev/null | grep -o 'cuda:[0-9]*'
}

_vida_jobs() {
  "$1" schema --words 2>/dev/null | awk '$1 == "job" { for (i = 2; i <= NF; ++i) print $i; exit }'
}

# KEY= of every setting of a job, or KEY=WORD for the words that the key in $3 accepts.
_vida_settings() {
  "$1" schema --words $2 2>/dev/null | awk -v given="$3" '
    index(given, "=") == 0 { print $1 "="; next }
    $1 "=" == substr(given, 1, index(given, "=")) { for (i = 2; i <= NF; ++i) print $1 "=" $i }'
}

_vida_job_of() {
  [[ -f "$1" ]] && sed -n 's/^[[:space:]]*job[[:space:]]*=[[:space:]]*["'\'']\([a-z-]*\).*/\1/p' "$1" | head -n 1
}

# The words of $1 that begin as $2. bash replaces only what follows the last '=' or ':', where it splits words there.
_vida_reply() {
  local cut=""
  [[ "$COMP_WORDBREAKS" == *=* && "$2" == *=* ]] && cut="${2%"${2##*=}"}"
  [[ "$COMP_WORDBREAKS" == *:* && "$2" == *:* ]] && cut="${2%"${2##*:}"}"
  mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
  COMPREPLY=("${COMPREPLY[@]#"$cut"}")
}

# Folders, and files whose names end in one of the words.
_vida_files() {
  local current="$1" ending
  shift
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen -d -- "$current"; for ending; do compgen -f -X "!*$ending" -- "$current"; done)
}

_vida() {
  local program="$1" line="${COMP_LINE:0:COMP_POINT}" command="" config="" word current previous
  local -a words
  read -ra words <<<"$line"
  [[ "$line" == *[[:space:]] ]] && words+=("")
  current="${words[-1]}" previous="${words[${#words[@]} - 2]}"
  for word in "${words[@]:1:${#words[@]}-2}"; do
    if [[ -z "$command" && "$word" != -* ]]; then command="$word"; fi
    [[ "$word" == *.toml ]] && config="$word"
  done
  COMPREPLY=()
  if [[ -z "$command" ]]; then
    _vida_reply "$(_vida_commands "$program") --help --version" "$current"
    return
  fi
  case "$previous" in
    --device) _vida_reply "$(_vida_devices "$program")" "$current" ;;
    --precision) _vida_reply "float32 float64" "$current" ;;
    --set)
      _vida_reply "$(_vida_settings "$program" "$(_vida_job_of "$config")" "$current")" "$current"
      [[ "$current" == *=* ]] || compopt -o nospace 2>/dev/null
      ;;
    --log-level) _vida_reply "error warning info debug" "$current" ;;
    --log-format) _vida_reply "text json" "$current" ;;
    --resume) _vida_files "$current" ;;
    --out | --context) _vida_files "$current" "" ;;
    --threads | --count | --seed | --problem | --checkpoint | --checkpoint-steps | --title) ;;
    *)
      case "$command:$current" in
        *:-*) _vida_reply "$(_vida_options "$program" "$command")" "$current" ;;
        init:* | schema:*) _vida_reply "$(_vida_jobs "$program")" "$current" ;;
        report:*) _vida_files "$current" ;;
        run:* | check:*) _vida_files "$current" .toml ;;
        sample:* | density:*) _vida_files "$current" .safetensors .nc ;;
      esac
      ;;
  esac
}

complete -F _vida vida
