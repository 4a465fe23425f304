// Completions with their types. JupyterLab writes the kind of a completion in lower case; a
// type is spoilt by that, so it stands behind the word instead.

const MIME = 'text/x-nnfp';
const RANK = 600; // before the kernel's own provider, whose items are then doubles

// The kernel counts characters, the editor 16-bit units.
const toKernel = (offset, text) => [...text.slice(0, offset)].length;
const toEditor = (offset, text) => [...text].slice(0, offset).join('').length;

export const completions = {
  identifier: 'nnfp-editor:completions',
  rank: RANK,
  renderer: null,

  isApplicable: async context =>
    Boolean(context.session?.kernel) && context.editor?.model.mimeType === MIME,

  fetch: async (request, context) => {
    const { text, offset } = request;
    const asked = { code: text, cursor_pos: toKernel(offset, text) };
    const reply = (await context.session.kernel.requestComplete(asked)).content;
    if (reply.status !== 'ok') {
      return { start: offset, end: offset, items: [] };
    }
    const told = reply.metadata._jupyter_types_experimental ?? [];
    return {
      start: toEditor(reply.cursor_start, text),
      end: toEditor(reply.cursor_end, text),
      items: reply.matches.map((word, k) => item(word, told[k]?.type ?? ''))
    };
  },

  // What the panel beside the list says of an item.
  resolve: async (chosen, context, patch) => {
    if (!context.session?.kernel || !patch) {
      return chosen;
    }
    const text = context.editor.model.sharedModel.getSource();
    const code = text.slice(0, patch.start) + patch.value;
    const asked = { code, cursor_pos: [...code].length, detail_level: 0 };
    const reply = (await context.session.kernel.requestInspect(asked)).content;
    const found = reply.status === 'ok' && reply.found;
    return found ? { ...chosen, documentation: reply.data['text/plain'] } : chosen;
  }
};

function item(word, type) {
  return { label: type ? `${word} : ${type}` : word, insertText: word };
}
