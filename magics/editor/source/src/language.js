// nnfp for CodeMirror 6: tokens of a program, line by line; comments, brackets, indentation.
// The same words as `nnfp_kernel/language/layout.py`; a test compares them.

import { LanguageSupport, StreamLanguage } from '@codemirror/language';
import { EditorView } from '@codemirror/view';

export const ITEM_KEYWORDS = ['size', 'type', 'rep', 'data', 'import'];
export const KEYWORDS = [
  'let', 'in', 'where', 'if', 'then', 'else', 'case', 'of', 'cata', 'fresh', 'open'
];

const items = new Set(ITEM_KEYWORDS);
const keywords = new Set(KEYWORDS);
const OPERATOR = /^(?:-o(?![\w'])|~>|->|\|>|>>|<<|&&&|\*\*\*|\|\||&&|==|\/=|<=|>=|\+\+|[-+*/@^!<>=:~\\|λ→⊸∘])/;

function token(stream, state) {
  if (state.depth > 0) {
    return comment(stream, state);
  }
  if (stream.sol() && stream.match(/^(?:%%?\w|[!?])/)) {
    stream.skipToEnd();
    return 'meta';
  }
  const starts = stream.sol();
  if (stream.eatSpace()) {
    return null;
  }
  if (stream.match('{-')) {
    state.depth = 1;
    return comment(stream, state);
  }
  if (stream.match(/^--/)) {
    stream.skipToEnd();
    return 'lineComment';
  }
  if (stream.match(/^\?[A-Za-z_]\w*'*/)) {
    return 'variableName.special';
  }
  if (stream.match(/^\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/)) {
    return 'number';
  }
  if (stream.match(/^"[^"]*"?/)) {
    return 'string';
  }
  const word = stream.match(/^[A-Za-z_]\w*'*(?:\.\w+)*/);
  if (word) {
    return ofWord(word[0], starts, stream);
  }
  if (stream.match(OPERATOR)) {
    return 'operator';
  }
  if (stream.match(/^[()[\]{},;]/)) {
    return 'punctuation';
  }
  stream.next();
  return null;
}

function ofWord(word, starts, stream) {
  if (keywords.has(word)) {
    return 'keyword';
  }
  if (starts && items.has(word)) {
    return 'definitionKeyword';
  }
  if (/^[A-Z]/.test(word)) {
    return 'variableName.standard'; // JupyterLab's themes colour no type names
  }
  if (starts && stream.match(/^[^:=]*[:=](?!=)/, false)) {
    return 'variableName.definition';
  }
  return 'variableName';
}

function comment(stream, state) {
  while (!stream.eol()) {
    if (stream.match('{-')) {
      state.depth += 1;
    } else if (stream.match('-}')) {
      state.depth -= 1;
      if (state.depth === 0) {
        break;
      }
    } else {
      stream.next();
    }
  }
  return 'blockComment';
}

// A line after one that opens something is indented; else it stands below the last one.
const OPENS = /(?:=|->|→|\bwhere|\bof|\blet|\bin|\bthen|\belse|[([{,]|>>|<<|&&&|\*\*\*|\|>|[-+*/@])\s*$/;

function indent(state, textAfter, context) {
  const at = context.pos;
  const line = context.state.doc.lineAt(Math.max(0, at - 1));
  const before = line.text;
  const current = /^\s*/.exec(before)[0].length;
  if (/^[)\]}]/.test(textAfter.trim())) {
    return Math.max(0, current - context.unit);
  }
  return OPENS.test(before) ? current + context.unit : current;
}

export const language = StreamLanguage.define({
  name: 'nnfp',
  startState: () => ({ depth: 0 }),
  copyState: state => ({ depth: state.depth }),
  token,
  indent,
  languageData: {
    commentTokens: { line: '--', block: { open: '{-', close: '-}' } },
    closeBrackets: { brackets: ['(', '[', '{', '"'] },
    indentOnInput: /^\s*[)\]}]$/
  }
});

// The letters that programs may be written with, as they are typed. None of these is a
// program, so nothing that is meant otherwise is changed.
export const LETTERS = { '\\->': '→', '\\-o': '⊸', '\\.': '∘', '\\\\': 'λ' };

const letters = EditorView.inputHandler.of((view, from, to, text) => {
  const line = view.state.doc.lineAt(from);
  const typed = line.text.slice(0, from - line.from) + text;
  const keys = Object.keys(LETTERS).find(keys => typed.endsWith(keys));
  if (!keys || from !== to) {
    return false;
  }
  const start = from + text.length - keys.length;
  view.dispatch({
    changes: { from: start, to, insert: LETTERS[keys] },
    selection: { anchor: start + LETTERS[keys].length },
    userEvent: 'input.type'
  });
  return true;
});

export function nnfp() {
  return new LanguageSupport(language, [letters]);
}
