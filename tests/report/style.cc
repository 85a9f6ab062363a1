// SPDX-License-Identifier: Apache-2.0
// The looks of the page. Light and dark, from a phone to a wide screen, and on paper.
#include "tests/report/page.h"

namespace cede::report {

std::string_view style_sheet() {
  return R"css(
:root {
  color-scheme: light dark;
  --paper: #ffffff; --raised: #f6f7f9; --ink: #1a1d21; --soft: #5a626d; --rule: #d9dde3;
  --link: #0a58a8; --focus: #c04a00;
  --cede: #0b4f96; --cede2: #5aa7e6; --floor: #6f7782; --peer: #e08a00; --peer2: #8a3c00;
  --peer3: #b08bd4; --peer4: #4c8a3f;
  --good: #cfead6; --fair: #e9f2c9; --poor: #fbe6bd; --bad: #f6c9c1; --good-ink: #14602c;
  --bad-ink: #a11a10;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171b; --raised: #1d2127; --ink: #e8ebef; --soft: #a2abb7; --rule: #363c45;
    --link: #7cbcff; --focus: #ffb066;
    --cede: #8cc8ff; --cede2: #3d7fc0; --floor: #8d96a3; --peer: #f2a93b; --peer2: #b8632a;
    --peer3: #c9aeea; --peer4: #74b765;
    --good: #1d4a2b; --fair: #3d471c; --poor: #574317; --bad: #64231c; --good-ink: #86dba0;
    --bad-ink: #ff9d92;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body { margin: 0 auto; max-width: 86rem; padding: 1rem clamp(0.75rem, 3vw, 2.5rem) 3rem;
  background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: clamp(1.4rem, 4vw, 2rem); line-height: 1.2; margin: 0.5rem 0 1rem; }
h2 { font-size: 1.4rem; margin: 0 0 0.5rem; }
h3 { font-size: 1.05rem; margin: 0 0 0.4rem; }
p { margin: 0 0 0.6rem; max-width: 46rem; overflow-wrap: anywhere; }
a { color: var(--link); }
:focus-visible { outline: 2px solid var(--focus); outline-offset: 2px; }
dl { display: flex; flex-wrap: wrap; gap: 0.4rem 2rem; margin: 0 0 1rem; }
dt { font-size: 0.8rem; color: var(--soft); }
dd { margin: 0; }
nav { display: flex; flex-wrap: wrap; gap: 0.3rem 1.2rem; padding: 0.6rem 0; margin-bottom: 1.2rem;
  border-block: 1px solid var(--rule); }
main > section { margin-bottom: 2.5rem; scroll-margin-top: 1rem; }
main > section + section { border-top: 1px solid var(--rule); padding-top: 1.5rem; }
.warning { border-left: 4px solid var(--peer); background: var(--raised); padding: 0.4rem 0.7rem; }
.label { color: var(--soft); font-size: 0.85rem; margin: 0; }
.comparable { margin: 0 0 1.2rem; padding-left: 1.1rem; max-width: 46rem; font-size: 0.92rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 21rem), 1fr));
  gap: 1rem; }
.card { background: var(--raised); border: 1px solid var(--rule); border-radius: 8px;
  padding: 0.8rem 1rem; }
.card ul { list-style: none; margin: 0; padding: 0; }
.card li { display: grid; grid-template-columns: 1fr auto; column-gap: 0.8rem; padding: 0.3rem 0;
  border-top: 1px solid var(--rule); }
.card li b { white-space: nowrap; text-align: right; font-variant-numeric: tabular-nums; }
.card li small { grid-column: 1 / -1; }
.good b { color: var(--good-ink); } .bad b { color: var(--bad-ink); }
small { color: var(--soft); font-size: 0.8rem; }
.section { margin-bottom: 1.5rem; }
.content { scroll-margin-top: 3.5rem; }
details.section { border: 1px solid var(--rule); border-radius: 8px; padding: 0.5rem 0.9rem;
  margin-bottom: 0.6rem; }
details.section[open] { padding-bottom: 1rem; }
summary { cursor: pointer; }
summary h3 { display: inline; }
details[open].section > summary { margin-bottom: 0.6rem; }
.exhibits { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 21rem), 1fr));
  gap: 1.5rem 2rem; align-items: start; }
.whole { grid-column: 1 / -1; min-width: 0; }
figure { margin: 0; min-width: 0; max-width: 30rem; }
figcaption { font-weight: 600; font-size: 0.92rem; margin-bottom: 0.3rem; }
figure summary { font-size: 0.85rem; color: var(--soft); width: max-content; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--ink); font: 12px system-ui, sans-serif; }
svg .tick { fill: var(--soft); font-size: 10.5px; }
svg .group { font-weight: 600; font-size: 11.5px; paint-order: stroke; stroke: var(--paper);
  stroke-width: 4px; }
svg .number, svg .tick { font-variant-numeric: tabular-nums; }
.grid { stroke: var(--rule); } .axis { stroke: var(--soft); }
.mark { stroke: var(--ink); stroke-dasharray: 4 3; }
.whisker { stroke: var(--ink); stroke-width: 1.3; }
.fill { fill: var(--tone); } .way { stroke: var(--tone); stroke-width: 2; fill: none; }
.point { fill: var(--tone); stroke: var(--tone); stroke-width: 1.2; }
.t-cede { --tone: var(--cede); } .t-cede2 { --tone: var(--cede2); }
.t-floor { --tone: var(--floor); } .t-peer { --tone: var(--peer); }
.t-peer2 { --tone: var(--peer2); } .t-peer3 { --tone: var(--peer3); }
.t-peer4 { --tone: var(--peer4); }
.wide { overflow-x: auto; max-width: 100%; }
table { border-collapse: collapse; font-size: 0.88rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); padding: 0.2rem 0; }
th, td { padding: 0.25rem 0.6rem; border-bottom: 1px solid var(--rule); text-align: left;
  vertical-align: top; }
td { white-space: nowrap; } th { font-weight: 600; }
td small, th small { display: block; font-weight: 400; }
.matrix { border-collapse: separate; border-spacing: 2px; }
.matrix th, .matrix td { border: 0; }
.matrix b { font-weight: 600; }
.matrix td small { color: inherit; }
.h-good { background: var(--good); } .h-fair { background: var(--fair); }
.h-poor { background: var(--poor); } .h-bad { background: var(--bad); }
.matrix td.h-none { color: var(--soft); background: var(--raised); }
.matrix td.h-none b { font-weight: 400; }
@media (max-width: 44rem) {
  .rows, .rows tbody, .rows caption { display: block; }
  .rows thead { display: none; }
  .rows tr { display: grid; gap: 2px; margin-bottom: 1rem;
    grid-template-columns: repeat(auto-fill, minmax(6.4rem, 1fr)); }
  .rows th { grid-column: 1 / -1; padding-inline: 0; }
  .rows td::before { content: attr(data-column); display: block; font-size: 0.75rem; }
  .rows td { white-space: normal; }
}
footer { color: var(--soft); font-size: 0.85rem; border-top: 1px solid var(--rule);
  padding-top: 0.8rem; }
@media print {
  nav, figure details { display: none; }
  figure, .card, tr { break-inside: avoid; }
}
)css";
}

}  // namespace cede::report
