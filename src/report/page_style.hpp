#pragma once

namespace vida::report {

/// How a page looks, on a screen and on paper. Numbers have digits of one width, so that padding aligns their points.
inline constexpr const char* kPageStyle =
    R"(:root { color-scheme: light; --ink: #1c1e21; --quiet: #5f6670; --line: #d4d8dd; --mark: #b3261e; --box: #f5f6f8; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.5rem 3rem; max-width: 74rem; color: var(--ink); background: #fff;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", Arial, sans-serif; }
h1 { font-size: 1.75rem; font-weight: 600; line-height: 1.2; margin: 0 0 1rem; overflow-wrap: anywhere; }
h2 { font-size: 1.35rem; font-weight: 600; margin: 2.5rem 0 .75rem; padding-top: .75rem; border-top: 2px solid var(--ink); overflow-wrap: anywhere; }
h3 { font-size: 1.05rem; font-weight: 600; margin: 1.75rem 0 .5rem; }
a { color: #0b57a4; text-decoration-thickness: 1px; text-underline-offset: .15em; }
code, pre { font-family: ui-monospace, SFMono-Regular, Consolas, "DejaVu Sans Mono", monospace; font-size: .85em; }
code { overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: .5rem 1.5rem; margin: 0 0 1rem; }
dt { font-size: .8rem; color: var(--quiet); }
dd { margin: 0; overflow-wrap: anywhere; }
aside { margin: 1rem 0; padding: .6rem 1rem; background: #fdf6e3; border-left: 3px solid #c98a00; font-size: .95rem; }
aside.bad { background: #fdeeed; border-left-color: var(--mark); }
aside ul { margin: 0; padding-left: 1.1rem; }
.table { overflow-x: auto; margin: 0 0 .4rem; }
.table + .table { margin-top: 1.2rem; }
table { border-collapse: collapse; font-size: .875rem; line-height: 1.35; font-variant-numeric: tabular-nums lining-nums; }
caption { text-align: left; white-space: nowrap; font-weight: 600; padding: .5rem 0 .35rem; }
th, td { padding: .28rem .8rem .28rem 0; text-align: left; vertical-align: top; }
th { font-weight: 500; color: var(--quiet); vertical-align: bottom; }
thead tr { border-top: 1.5px solid var(--ink); border-bottom: 1px solid var(--ink); }
tbody tr { border-bottom: 1px solid var(--line); }
tbody tr:last-child { border-bottom: 1.5px solid var(--ink); }
.n { text-align: right; white-space: nowrap; }
th.n { max-width: 5rem; white-space: normal; }
th small { display: block; font-weight: 400; }
td { overflow-wrap: break-word; }
.mark { color: var(--mark); font-weight: 600; }
.remark { max-width: 50rem; margin: .2rem 0 1.2rem; font-size: .85rem; color: var(--quiet); }
figure { margin: 1.25rem 0; }
figure img { display: block; max-width: 100%; height: auto; }
figcaption { max-width: 50rem; margin-top: .4rem; font-size: .9rem; color: var(--quiet); }
summary { cursor: pointer; color: #0b57a4; }
pre { padding: .75rem 1rem; background: var(--box); overflow-x: auto; line-height: 1.4; }
footer { margin-top: 3rem; padding-top: .5rem; border-top: 1px solid var(--line); font-size: .85rem; color: var(--quiet); }
@media print {
  @page { margin: 16mm 14mm; }
  :root { font-size: 10pt; }
  body { max-width: none; padding: 0; font-size: 1rem; }
  dl { grid-template-columns: repeat(4, 1fr); }
  h1 { font-size: 17pt; }
  h2 { font-size: 13pt; }
  h2, h3, caption { break-after: avoid; }
  section + section { break-before: page; }
  section + section > h2 { margin-top: 0; padding-top: 0; border-top: none; }
  figure, tr, aside, .table, dl div { break-inside: avoid; }
  figure img { max-height: 78mm; }
  .table { overflow: visible; }
  table { font-size: 8pt; }
  th, td { padding-right: .7rem; }
  a { color: inherit; text-decoration: none; }
  pre { white-space: pre-wrap; overflow: visible; font-size: 7.5pt; columns: 2; }
  details::details-content { content-visibility: visible; display: block; height: auto; }
}
)";

}  // namespace vida::report
