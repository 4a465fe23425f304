// Widgets over the same data move together: one has been moved, the others hear of it.
// All the widgets of a page, whatever their modules, share one list.

const known = (globalThis[Symbol.for("nnfp.links")] ??= new Map());

/** Link a widget to the others of a scene: it gets `share(change)`, and hears `linked(change)`.
 *
 * A change tells the `position`, the point that is `traced`, those that are `brushed`, or what has
 * `moved` the weights: a "hand" those of the session, or those of the "page" alone, until the session
 * has them; perhaps `back` to those that were seen first; or a "training" that a widget has begun. */
function link(id, widget) {
  if (!known.has(id)) known.set(id, new Set());
  const others = known.get(id);
  others.add(widget);
  widget.share = (change) => others.forEach((other) => other !== widget && other.linked(change));
  return () => {
    others.delete(widget);
    if (!others.size) known.delete(id);
  };
}

export { link };
