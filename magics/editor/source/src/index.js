// Four plugins: the language, which cells are written in it, completion in them, and what is seen of
// a widget that was saved.
//
//   nnfp kernel     a cell is a program, one that starts with %%python is Python
//   Python kernel   a cell that starts with %%nnfp is a program

import { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import { ICompletionProviderManager } from '@jupyterlab/completer';
import { INotebookTracker } from '@jupyterlab/notebook';
import { completions } from './completion';
import { nnfp } from './language';
import { watchOutputs } from './saved';

const MIME = 'text/x-nnfp';
const PYTHON = 'text/x-ipython';

const languagePlugin = {
  id: 'nnfp-editor:language',
  description: 'nnfp for CodeMirror',
  autoStart: true,
  requires: [IEditorLanguageRegistry],
  activate: (_, languages) => {
    languages.addLanguage({
      name: 'nnfp',
      displayName: 'nnfp',
      mime: MIME,
      extensions: ['nnfp'],
      load: async () => nnfp()
    });
  }
};

// What a cell is written in, from its first line and its notebook's language.
export function mimeOf(source, own) {
  const first = /^\s*%%(\w+)/.exec(source);
  const magic = first ? first[1] : '';
  if (own === MIME) {
    return magic === 'python' || magic === 'py' ? PYTHON : MIME;
  }
  return magic === 'nnfp' ? MIME : own;
}

function watchCell(cell, notebook) {
  const model = cell.model;
  if (model.type !== 'code') {
    return;
  }
  const settle = () => {
    const own = notebook.codeMimetype;
    const wanted = mimeOf(model.sharedModel.getSource(), own);
    // Jupyter sets the notebook's own again, after a kernel has started for example.
    if (own && model.mimeType !== wanted) {
      model.mimeType = wanted;
    }
  };
  settle();
  model.contentChanged.connect(settle);
  model.mimeTypeChanged.connect(settle);
}

function watchNotebook(panel) {
  const notebook = panel.content;
  const seen = new WeakSet();
  const all = () => {
    for (const cell of notebook.widgets) {
      if (!seen.has(cell.model)) {
        seen.add(cell.model);
        watchCell(cell, notebook);
      }
    }
  };
  all();
  notebook.modelContentChanged.connect(all);
  panel.context.ready.then(all);
}

const cellsPlugin = {
  id: 'nnfp-editor:cells',
  description: 'Cells that are nnfp programs are highlighted as such',
  autoStart: true,
  requires: [INotebookTracker],
  activate: (_, notebooks) => {
    notebooks.forEach(watchNotebook);
    notebooks.widgetAdded.connect((_, panel) => watchNotebook(panel));
  }
};

const completionPlugin = {
  id: 'nnfp-editor:completion',
  description: 'Completions of programs with their types',
  autoStart: true,
  requires: [ICompletionProviderManager],
  activate: (_, manager) => manager.registerProvider(completions)
};

const savedPlugin = {
  id: 'nnfp-editor:saved',
  description: 'Widgets whose kernel has gone are seen as the picture that was saved with them',
  autoStart: true,
  requires: [INotebookTracker],
  activate: (_, notebooks) => {
    notebooks.forEach(watchOutputs);
    notebooks.widgetAdded.connect((_, panel) => watchOutputs(panel));
  }
};

export default [languagePlugin, cellsPlugin, completionPlugin, savedPlugin];
