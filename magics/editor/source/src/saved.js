// A widget of ours that nobody answers for: the notebook was saved, and its kernel has gone. There
// ipywidgets says that it finds no model, though the output has a picture and a text as well.

const WIDGET = 'application/vnd.jupyter.widget-view+json';
const HTML = 'text/html';
const OURS = /^<div class="nnfp[ -]/;
const LOST = /^Error displaying widget/;
const NOTE = 'As it was saved. Run the cell for the widget.';

// The output that is shown at a node of a notebook.
function outputAt(node, notebook) {
  for (const cell of notebook.widgets) {
    const area = cell.outputArea;
    if (area && area.node.contains(node)) {
      const place = area.widgets.findIndex(child => child.node.contains(node));
      return place < 0 ? undefined : area.model.get(place);
    }
  }
  return undefined;
}

async function showSaved(node, notebook) {
  const output = outputAt(node, notebook);
  const html = String(output?.data[HTML] ?? '');
  if (!output?.data[WIDGET] || !OURS.test(html)) {
    return;
  }
  const renderer = notebook.rendermime.createRenderer(HTML);
  await renderer.renderModel(output);
  const note = document.createElement('div');
  note.textContent = NOTE;
  note.style.cssText = 'margin-top:8px;font-size:11.5px;color:var(--jp-content-font-color2)';
  node.replaceChildren(renderer.node, note);
}

export function watchOutputs(panel) {
  const watch = new MutationObserver(changes => {
    for (const { target } of changes) {
      if (target.classList?.contains('jp-OutputArea-output') && LOST.test(target.textContent)) {
        void showSaved(target, panel.content);
      }
    }
  });
  watch.observe(panel.content.node, { childList: true, subtree: true });
  panel.disposed.connect(() => watch.disconnect());
}
