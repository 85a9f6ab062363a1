// SPDX-License-Identifier: Apache-2.0
#include "tests/report/page.h"

#include <fmt/format.h>

#include <cmath>
#include <type_traits>
#include <variant>

#include "tests/report/markup.h"
#include "tests/report/quantity.h"

namespace cede::report {
namespace {

Element of_class(std::string_view tag, std::string_view kind, std::string_view text = {}) {
  Element element(tag, text);
  element.set("class", kind);
  return element;
}

Element link(std::string_view target, std::string_view text) {
  Element element("a", text);
  element.set("href", fmt::format("#{}", target));
  return element;
}

// What is a table already needs no table beside it.
Element exhibit(const Exhibit& one) {
  return std::visit(
      [&](const auto& what) {
        using Kind = std::decay_t<decltype(what)>;
        if constexpr (std::is_same_v<Kind, Matrix> || std::is_same_v<Kind, Table>) {
          return of_class("div", "whole").add(draw(what, one.title));
        } else {
          Element numbers("details");
          numbers.add(Element("summary", "Numbers")).add(draw(table_of(what), one.title));
          Element figure("figure");
          figure.add(Element("figcaption", one.title)).add(draw(what, one.title));
          return figure.add(numbers);
        }
      },
      one.what);
}

Element section_of(const Section& section) {
  Element whole(section.folded ? "details" : "div");
  whole.set("class", "section");
  if (section.folded) {
    whole.add(Element("summary").add(Element("h3", section.title)));
  } else if (!section.title.empty()) {
    whole.add(Element("h3", section.title));
  }
  Element content = of_class("div", "content");
  for (const std::string& paragraph : section.paragraphs) content.add(Element("p", paragraph));
  Element exhibits = of_class("div", "exhibits");
  // Within what is folded: browsers unfold it for a link to there.
  if (!section.id.empty()) content.set("id", section.id);
  for (const Exhibit& one : section.exhibits) exhibits.add(exhibit(one));
  return whole.add(content.add(exhibits));
}

Element headline_of(const Headline& headline) {
  Element item("li");
  std::string_view sign;
  if (headline.judgement == Judgement::Good) sign = "\u2713 ";
  if (headline.judgement == Judgement::Bad) sign = "\u2717 ";
  Element value("b");
  value.say(sign).say(headline.value);
  if (!sign.empty()) item.set("class", headline.judgement == Judgement::Good ? "good" : "bad");
  item.add(Element("span", headline.name)).add(value);
  if (!headline.note.empty()) item.add(Element("small", headline.note));
  return item;
}

Element card(const PartReport& report) {
  Element whole = of_class("section", "card");
  whole.add(Element("h3").add(link(report.part.name, report.part.title)));
  if (report.state != PartReport::State::Measured) {
    whole.add(of_class("p", "warning", to_string(report.state)));
  }
  Element list("ul");
  for (const Headline& headline : report.chapter.headlines) list.add(headline_of(headline));
  return report.chapter.headlines.empty() ? whole : whole.add(list);
}

Element head(const Report& report) {
  Element head("head");
  head.add(Element("meta").set("charset", "utf-8"));
  head.add(Element("meta")
               .set("name", "viewport")
               .set("content", "width=device-width, initial-scale=1"));
  head.add(Element("meta").set("name", "color-scheme").set("content", "light dark"));
  head.add(Element("title", fmt::format("Cede report {}", report.run.date)));
  return head.add(Element("style", style_sheet()));
}

Element masthead(const Report& report) {
  Element header("header");
  header.add(Element("h1", "Cede: driver domains, attacked and measured"));
  Element facts("dl");
  const auto fact = [&](std::string_view name, std::string_view value) {
    if (value.empty()) return;
    facts.add(Element("div").add(Element("dt", name)).add(Element("dd", value)));
  };
  fact("Version", report.run.version);
  fact("Date", report.run.date);
  for (const auto& [name, value] : report.run.machine) fact(name, value);
  if (report.run.machine.empty() && report.machines.size() == 1) {
    fact("Machine", report.machines.front());
  }
  header.add(facts);
  for (const std::string& warning : warnings(report)) {
    header.add(of_class("p", "warning", warning));
  }
  return header;
}

Element summary(const Report& report) {
  Element nav("nav");
  nav.set("aria-label", "Chapters");
  Element cards = of_class("div", "cards");
  for (const PartReport& part : report.parts) {
    nav.add(link(part.part.name, part.part.title));
    cards.add(card(part));
  }
  Element whole("section");
  whole.set("id", "summary");
  return whole.add(nav).add(Element("h2", "Summary")).add(cards);
}

Element chapter(const PartReport& report) {
  Element whole("section");
  whole.set("id", report.part.name);
  whole.add(Element("h2", report.part.title));
  std::string about(report.part.about);
  if (std::isfinite(report.seconds)) {
    about += fmt::format(" Measured in {}.", quantity(report.seconds, "s"));
  }
  whole.add(Element("p", about));
  if (report.state != PartReport::State::Measured) {
    whole.add(of_class("p", "warning", fmt::format("{}: {}", to_string(report.state), report.why)));
  }
  Element comparable = of_class("ul", "comparable");
  for (const std::string& sentence : report.chapter.comparable) {
    if (!sentence.empty()) comparable.add(Element("li", sentence));
  }
  if (!report.chapter.comparable.empty()) {
    whole.add(of_class("p", "label", "What compares, and what does not")).add(comparable);
  }
  for (const Section& section : report.chapter.sections) whole.add(section_of(section));
  return whole;
}

}  // namespace

std::string as_page(const Report& report) {
  Element main("main");
  main.add(summary(report));
  for (const PartReport& part : report.parts) main.add(chapter(part));
  Element body("body");
  body.add(masthead(report)).add(main);
  body.add(Element("footer",
                   "Written by cede report. Colours and whiskers are explained beside "
                   "what they are in; every plot has its numbers below it."));
  Element html("html");
  html.set("lang", "en").add(head(report)).add(body);
  return "<!DOCTYPE html>\n" + html.text();
}

}  // namespace cede::report
