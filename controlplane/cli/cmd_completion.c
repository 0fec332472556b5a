/* SPDX-License-Identifier: Apache-2.0 */
/** citizenk completion: scripts for bash, zsh and fish, made from the table of commands.  Names
 * of objects are asked from the server while typing, by citizenk get -o name. */
#include <string.h>

#include "commands.h"

static void add_kinds(struct cz_buf *b, bool documents_only)
{
    const char *sep = "";
    for (const struct cz_cli_kind *k = cz_cli_kinds; k->name; k++) {
        if (documents_only && !k->document)
            continue;
        cz_buf_addf(b, "%s%s", sep, k->name);
        sep = " ";
    }
}

static void add_option_words(struct cz_buf *b, const struct cz_cli_opt *o)
{
    for (; o && o->name; o++) {
        cz_buf_addf(b, " --%s", o->name);
        if (o->letter)
            cz_buf_addf(b, " -%c", o->letter);
    }
}

/* Every option that takes a value, as a pattern: "--team|--file|-f". */
static void add_valued(struct cz_buf *b, enum cz_cli_value only, bool any)
{
    for (size_t i = 0; i == 0 || cz_cli_commands[i - 1]; i++) {
        const struct cz_cli_opt *o = i == 0 ? cz_cli_globals : cz_cli_commands[i - 1]->opts;
        for (; o && o->name; o++) {
            bool takes = o->type == CZ_OPT_VALUE || o->type == CZ_OPT_LIST;
            CZ_CLEANUP(cz_freep) char *word = cz_strf("--%s|", o->name);
            if (!takes || (!any && o->value != only) || strstr(cz_buf_str(b), word))
                continue;
            cz_buf_addf(b, "--%s|", o->name);
            if (o->letter)
                cz_buf_addf(b, "-%c|", o->letter);
        }
    }
    if (b->len > 0) /* the last bar */
        b->data[--b->len] = '\0';
}

static void add_fixed(struct cz_buf *b, const char *const *words)
{
    for (size_t i = 0; words && words[i]; i++)
        cz_buf_addf(b, "%s%s", i ? " " : "", words[i]);
}

/* One case of the shell's `case $command in`: sets `options`, and `kinds` or `words`. */
static void add_case(struct cz_buf *out, const struct cz_cli_cmd *c)
{
    cz_buf_addf(out, "    %s%s%s) options='", c->name, c->alias ? "|" : "",
                c->alias ? c->alias : "");
    struct cz_buf words CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(16384);
    add_option_words(&words, c->opts);
    cz_buf_addf(out, "%s'", cz_buf_str(&words) + (words.len > 0));
    if (c->words_type == CZ_WORDS_FIXED) {
        cz_buf_adds(out, "; words='");
        add_fixed(out, c->words);
        cz_buf_addc(out, '\'');
    } else if (c->words_type == CZ_WORDS_KIND) {
        cz_buf_adds(out, "; kinds=1");
    } else if (c->words_type == CZ_WORDS_MAPPING) {
        cz_buf_adds(out, "; kind=mapping");
    } else if (c == &cz_cmd_help) {
        cz_buf_adds(out, "; words=$commands");
    }
    cz_buf_adds(out, " ;;\n");
}

static void add_names(struct cz_buf *out)
{
    for (size_t i = 0; cz_cli_commands[i]; i++)
        cz_buf_addf(out, "%s%s", i ? " " : "", cz_cli_commands[i]->name);
}

/* zsh runs the same function through its bashcompinit. */
static void bash(struct cz_buf *out)
{
    struct cz_buf globals CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(4096);
    struct cz_buf valued CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(4096);
    struct cz_buf files CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(4096);
    add_option_words(&globals, cz_cli_globals);
    add_valued(&valued, CZ_VAL_ANY, true);
    add_valued(&files, CZ_VAL_FILE, false);
    cz_buf_adds(
        out, "_citizenk() {\n"
             "  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
             "  local command='' first='' options='' words='' kinds='' kind='' i line\n"
             "  local commands='");
    add_names(out);
    cz_buf_adds(out, "'\n  COMPREPLY=()\n  for ((i = 1; i < COMP_CWORD; i++)); do\n    case "
                     "${COMP_WORDS[i]} in\n");
    cz_buf_addf(out, "      %s) ((i++)) ;;\n", cz_buf_str(&valued));
    cz_buf_adds(out, "      -*) ;;\n"
                     "      *) if [ -z \"$command\" ]; then command=${COMP_WORDS[i]};"
                     " elif [ -z \"$first\" ]; then first=${COMP_WORDS[i]}; fi ;;\n"
                     "    esac\n  done\n  case $command in\n");
    for (size_t i = 0; cz_cli_commands[i]; i++)
        add_case(out, cz_cli_commands[i]);
    cz_buf_adds(out, "  esac\n  case $previous in\n"
                     "    -o|--output) COMPREPLY=($(compgen -W 'table json yaml name' -- "
                     "\"$current\")); return ;;\n");
    cz_buf_addf(out, "    %s) COMPREPLY=($(compgen -f -- \"$current\")); return ;;\n",
                cz_buf_str(&files));
    cz_buf_addf(out, "    %s) return ;;\n  esac\n", cz_buf_str(&valued));
    cz_buf_addf(out,
                "  if [ \"${current:0:1}\" = - ]; then\n"
                "    COMPREPLY=($(compgen -W \"$options%s\" -- \"$current\")); return\n  fi\n",
                cz_buf_str(&globals));
    cz_buf_adds(out, "  if [ -z \"$command\" ]; then words=$commands; fi\n"
                     "  if [ -n \"$kinds\" ] && [ -z \"$first\" ]; then words='");
    add_kinds(out, false);
    cz_buf_adds(out, "'; fi\n"
                     "  if [ -n \"$kinds\" ] && [ -n \"$first\" ]; then kind=$first; fi\n"
                     "  if [ -n \"$words\" ]; then COMPREPLY=($(compgen -W \"$words\" -- "
                     "\"$current\")); return; fi\n"
                     "  if [ -n \"$kind\" ]; then\n"
                     "    while IFS= read -r line; do\n"
                     "      line=${line#*/}\n"
                     "      case $line in \"${current//\\\\/}\"*) COMPREPLY+=(\"$(printf %q "
                     "\"$line\")\") ;; esac\n"
                     "    done < <(citizenk get \"$kind\" -o name --timeout 2s 2>/dev/null)\n"
                     "  fi\n}\n");
}

static void add_quoted(struct cz_buf *out, const char *s)
{
    cz_buf_addc(out, '\'');
    for (; *s; s++)
        cz_buf_adds(out, *s == '\'' ? "\\'" : (char[]){*s, '\0'});
    cz_buf_addc(out, '\'');
}

static void
fish_options(struct cz_buf *out, const struct cz_cli_cmd *c, const struct cz_cli_opt *o)
{
    for (; o && o->name; o++) {
        cz_buf_adds(out, "complete -c citizenk");
        if (c)
            cz_buf_addf(out, " -n '__fish_seen_subcommand_from %s %s'", c->name,
                        c->alias ? c->alias : "");
        cz_buf_addf(out, " -l %s", o->name);
        if (o->letter)
            cz_buf_addf(out, " -s %c", o->letter);
        if (o->type == CZ_OPT_VALUE || o->type == CZ_OPT_LIST)
            cz_buf_adds(out, o->value == CZ_VAL_FILE ? " -r -F" : " -x");
        if (o->choices) {
            cz_buf_adds(out, " -a '");
            add_fixed(out, o->choices);
            cz_buf_addc(out, '\'');
        }
        cz_buf_adds(out, " -d ");
        add_quoted(out, o->doc);
        cz_buf_addc(out, '\n');
    }
}

static void fish(struct cz_buf *out)
{
    cz_buf_adds(out, "complete -c citizenk -f\n"
                     "function __citizenk_names\n"
                     "    citizenk get $argv[1] -o name --timeout 2s 2>/dev/null"
                     " | string replace -r '^[^/]*/' ''\n"
                     "end\n"
                     "function __citizenk_kind\n"
                     "    set -l words (commandline -opc)\n"
                     "    test (count $words) -ge 3; and __citizenk_names $words[3]\n"
                     "end\n");
    fish_options(out, NULL, cz_cli_globals);
    for (size_t i = 0; cz_cli_commands[i]; i++) {
        const struct cz_cli_cmd *c = cz_cli_commands[i];
        cz_buf_addf(out, "complete -c citizenk -n __fish_use_subcommand -a %s -d ", c->name);
        add_quoted(out, c->summary);
        cz_buf_addc(out, '\n');
        fish_options(out, c, c->opts);
        CZ_CLEANUP(cz_freep)
        char *head = cz_strf("complete -c citizenk -n '__fish_seen_subcommand_from %s %s' -a",
                             c->name, c->alias ? c->alias : "");
        if (c->words_type == CZ_WORDS_KIND) {
            cz_buf_addf(out, "%s '", head);
            add_kinds(out, false);
            cz_buf_addf(out, "'\n%s '(__citizenk_kind)'\n", head);
        } else if (c->words_type == CZ_WORDS_MAPPING) {
            cz_buf_addf(out, "%s '(__citizenk_names mapping)'\n", head);
        } else if (c->words_type == CZ_WORDS_FIXED) {
            cz_buf_addf(out, "%s '", head);
            add_fixed(out, c->words);
            cz_buf_adds(out, "'\n");
        }
    }
}

static const char *const shells[] = {"bash", "zsh", "fish", NULL};

static int completion(struct cz_cli *cli)
{
    const char *shell = cli->args.pos[0];
    if (strcmp(shell, "fish") == 0) {
        fish(&cli->out);
        return CZ_EXIT_OK;
    }
    if (strcmp(shell, "bash") != 0 && strcmp(shell, "zsh") != 0)
        return cz_cli_usage(cli, "\"%s\" is none of bash, zsh, fish", shell);
    if (strcmp(shell, "zsh") == 0)
        cz_buf_adds(&cli->out, "#compdef citizenk\nautoload -Uz compinit bashcompinit && "
                               "compinit && bashcompinit\n");
    bash(&cli->out);
    cz_buf_adds(&cli->out, "complete -F _citizenk citizenk\n");
    return CZ_EXIT_OK;
}

const struct cz_cli_cmd cz_cmd_completion = {
    .name = "completion",
    .args = "bash | zsh | fish",
    .summary = "print the completion script of a shell",
    .help = "  source <(citizenk completion bash)        in ~/.bashrc\n"
            "  source <(citizenk completion zsh)         in ~/.zshrc\n"
            "  citizenk completion fish | source         in ~/.config/fish/config.fish",
    .min_args = 1,
    .max_args = 1,
    .words_type = CZ_WORDS_FIXED,
    .words = shells,
    .exec = completion,
};
