"use strict";
(() => {
  const MILLISECONDS = 1000; // between two questions
  const find = (name) => document.getElementById(`watch-${name}`);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  // on a dark ground the first layer would vanish, and the fifth nearly so
  const ON_DARK = { "#000000": "#ffffff", "#0072B2": "#4a7dff", "#404040": "#c8ccd2" };
  // Plotly offers to upload a figure to its makers: the buttons are listed, so that none of them does
  const CONFIG = {
    responsive: true,
    displaylogo: false,
    showSendToCloud: false,
    typesetMath: false,
    plotlyServerURL: "",
    modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
  };
  let version = -1, figures = {};

  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const visible = (color) => (dark.matches && ON_DARK[color] ? ON_DARK[color] : color);

  function themedTrace(trace) {
    const themed = structuredClone(trace);
    for (const part of [themed.line, themed.marker]) {
      if (part && part.color) part.color = visible(part.color);
    }
    if (themed.marker?.line) themed.marker.line.color = themed.marker.color ?? themed.line?.color;
    return themed;
  }

  function themedLayout(layout) {
    const [ground, text, line, quiet] = ["ground", "text", "line", "quiet"].map(style);
    const axis = { gridcolor: line, linecolor: quiet, tickcolor: quiet, showline: true, ticks: "outside" };
    return {
      ...structuredClone(layout),
      uirevision: "watch", // who has zoomed in stays there
      paper_bgcolor: ground,
      plot_bgcolor: ground,
      font: { size: 13, color: text },
      xaxis: { ...layout.xaxis, ...axis },
      yaxis: { ...layout.yaxis, ...axis },
      shapes: (layout.shapes ?? []).map((shape) => ({ ...shape, line: { ...shape.line, color: quiet } })),
    };
  }

  function draw() {
    for (const [name, { data, layout }] of Object.entries(figures)) {
      Plotly.react(find(name), data.map(themedTrace), themedLayout(layout), CONFIG);
    }
    document.body.dataset.version = version;
  }

  function show(view) {
    find("title").textContent = view.title;
    find("status").textContent = view.status;
    document.title = `${view.title}: ibtools watch`;
    if (view.figures === undefined) return;
    ({ version, figures } = view);
    draw();
  }

  async function ask() {
    let view;
    try {
      const answer = await fetch(`view?version=${version}`);
      view = await answer.json();
    } catch {
      find("status").textContent = "The watch has ended; this page stays as it is.";
    }
    if (view) show(view);
    window.setTimeout(ask, MILLISECONDS);
  }

  dark.addEventListener("change", draw);
  ask();
})();
