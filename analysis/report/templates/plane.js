"use strict";
(() => {
  const planes = JSON.parse(document.getElementById("plane-data").textContent);
  const find = (name) => document.getElementById(`plane-${name}`);
  const [figure, chooser, slider, shown, play, zoom, resolution, bits] =
    ["figure", "estimator", "epoch", "shown", "play", "zoom", "resolution", "bits"].map(find);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const THEMES = {
    light: {
      ground: "#ffffff", text: "#1a1a1a", grid: "#e4e4e4", axis: "#888888", ceiling: "#666666",
    },
    dark: {
      ground: "#16181c", text: "#e8e8e8", grid: "#2e323a", axis: "#8a8f98", ceiling: "#a8adb5",
    },
  };
  // Plotly offers to upload a figure to its makers: the buttons are listed, so that none of them does
  const CONFIG = {
    responsive: true,
    displaylogo: false,
    showSendToCloud: false,
    typesetMath: false,
    plotlyServerURL: "",
    modeBarButtons: [["toImage", "zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]],
  };
  // on a dark ground the first layer would vanish, and the fifth nearly so
  const ON_DARK = { "#000000": "#ffffff", "#0072B2": "#4a7dff", "#404040": "#c8ccd2" };
  const MILLISECONDS = 120; // of an epoch that is played
  const FONT = 'system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif';
  let plane, timer = null, printing = false;
  const hidden = new Set();  // what keys of the legend have hidden: the lines of all layers

  const isDark = () => dark.matches && !printing;
  const theme = () => THEMES[isDark() ? "dark" : "light"];
  const visible = (color) => (isDark() && ON_DARK[color] ? ON_DARK[color] : color);

  function themedTrace(trace) {
    const themed = structuredClone(trace);
    for (const part of [themed.line, themed.marker]) {
      if (part && part.color) part.color = visible(part.color);
    }
    if (themed.marker) {
      themed.marker.color = visible((trace.line || trace.marker).color);
      themed.marker.line.color = trace.meta.role === "point" && !isHollow(trace)
        ? theme().ground : themed.marker.color;
    }
    if (hidden.has(trace.meta.toggle)) {
      if (isKey(trace)) themed.visible = "legendonly";
      else Object.assign(themed, { opacity: 0, hoverinfo: "skip" });
    }
    return themed;
  }

  const isKey = (trace) => trace.meta.role.endsWith("-key");

  function isHollow(trace) {
    return String(trace.marker.symbol[0]).endsWith("-open");
  }

  function themedLayout(layout) {
    const { ground, text, grid, axis: lines, ceiling } = theme();
    const themed = structuredClone(layout);  // without what is empty, as ceilings may be
    const axis = {
      gridcolor: grid, linecolor: lines, tickcolor: lines, showline: true, ticks: "outside",
    };
    return {
      ...themed,
      paper_bgcolor: ground,
      plot_bgcolor: ground,
      font: { family: FONT, size: 13, color: text },
      xaxis: { ...themed.xaxis, ...axis },
      yaxis: { ...themed.yaxis, ...axis },
      hoverlabel: { bgcolor: ground, font: { family: FONT, color: text } },
      shapes: (themed.shapes ?? []).map((shape) => (
        { ...shape, line: { ...shape.line, color: ceiling } })),
      annotations: (themed.annotations ?? []).map((label) => (
        { ...label, font: { size: 11, color: ceiling } })),
    };
  }

  const traces = (role) => plane.figure.data.filter((trace) => trace.meta.role === role);

  // a point is that of the mean trajectory at the chosen epoch
  function movePoints() {
    const index = Number(slider.value);
    const courses = traces("control");
    traces("control-point").forEach((point, position) => {
      point.x = [courses[position].x[index]];
      point.y = [courses[position].y[index]];
      point.customdata = [courses[position].customdata[index]];
    });
    const means = traces("mean");
    traces("point").forEach((point, position) => {
      const mean = means[position];
      point.x = [mean.x[index]];
      point.y = [mean.y[index]];
      point.customdata = [mean.customdata[index]];
      point.marker.symbol = [mean.marker.symbol[index]];
      point.marker.line.width = isHollow(point) ? 2 : 1;
    });
    const epoch = `${plane.counts} ${plane.epochs[index]}`;
    shown.textContent = epoch;
    slider.setAttribute("aria-valuetext", epoch);
    writeValues(epoch);
  }

  function writeValues(epoch) {
    const table = find("values");
    const columns = plane.columns.slice(1); // without the epoch
    const { xaxis, yaxis } = plane.figure.layout;
    const axes = [plain(xaxis.title.text), plain(yaxis.title.text)];
    const controls = traces("control-point");
    const titles = ["layer", ...axes, ...columns.map(([name]) => name),
      ...(controls.length > 0 ? axes.map((axis) => `${axis}, ${plane.control}`) : [])];
    const cut = bits.textContent === "" ? "" : `, cut to ${bits.textContent},`;
    table.caption.textContent = `Values of ${chooser.value}${cut} at ${epoch}, mean over repeats`;
    table.tHead.replaceChildren(row(titles, "th"));
    table.tBodies[0].replaceChildren(...traces("point").map((point, position) => row([
      point.meta.layer, fixed(point.x[0], 4), fixed(point.y[0], 4),
      ...columns.map(([, decimals], column) => fixed(point.customdata[0][column + 1], decimals)),
      ...controls.slice(position, position + 1).flatMap(({ x, y }) => [fixed(x[0], 4), fixed(y[0], 4)]),
    ], "td")));
  }

  function row(cells, kind) {
    const line = document.createElement("tr");
    cells.forEach((content, position) => {
      const cell = document.createElement(position === 0 ? "th" : kind);
      cell.textContent = content;
      if (position === 0 || kind === "th") cell.scope = kind === "th" ? "col" : "row";
      if (position > 0) cell.className = "number";
      line.append(cell);
    });
    return line;
  }

  const fixed = (number, decimals) => (number === null ? "–" : number.toFixed(decimals));

  // texts of the figure are escaped for Plotly, those of the page are not
  function plain(text) {
    const parsed = new DOMParser().parseFromString(text, "text/html");
    return parsed.documentElement.textContent;
  }

  function draw() {
    movePoints();
    const layout = themedLayout(plane.figure.layout);
    if (zoom.getAttribute("aria-pressed") === "true") {
      [layout.xaxis.range, layout.yaxis.range] = structuredClone(plane.zoom);
    }
    layout.uirevision = `${chooser.value} ${resolution.value} ${zoom.getAttribute("aria-pressed")}`;
    return Plotly.react(figure, plane.figure.data.map(themedTrace), layout, CONFIG);
  }

  // a key of the legend is for the lines of all layers, each of which goes with its layer
  function toggleAll({ data, curveNumber }) {
    if (!isKey(data[curveNumber])) return true;
    const { toggle } = data[curveNumber].meta;
    if (!hidden.delete(toggle)) hidden.add(toggle);
    draw();
    return false;
  }

  function chooseEstimator() {
    const { resolutions } = planes[chooser.value];
    find("resolutions").hidden = resolutions === undefined;
    resolution.max = resolutions === undefined ? 0 : resolutions.length - 1;
    resolution.value = resolution.max;
    return choosePlane();
  }

  // of an estimator of all resolutions there is a plane for each
  function choosePlane() {
    stop();
    const epoch = plane ? plane.epochs[slider.value] : Infinity;
    const chosen = planes[chooser.value];
    const cut = chosen.resolutions?.[resolution.value];
    bits.textContent = cut === undefined ? "" : `${cut} bit${cut === 1 ? "" : "s"}`;
    resolution.setAttribute("aria-valuetext", bits.textContent);
    plane = cut === undefined ? chosen : chosen.planes[resolution.value];
    slider.max = plane.epochs.length - 1;
    const later = plane.epochs.findIndex((one) => one >= epoch);
    slider.value = later < 0 ? slider.max : later;
    zoom.hidden = plane.zoom === null;
    zoom.setAttribute("aria-pressed", "false");
    find("thinning").textContent = plane.thinning;
    return draw();
  }

  function stop() {
    window.clearTimeout(timer);
    timer = null;
    play.textContent = "Play";
  }

  async function step() {
    slider.value = Number(slider.value) + 1;
    await draw();
    if (timer === null) return;
    if (slider.value === slider.max) stop();
    else timer = window.setTimeout(step, MILLISECONDS);
  }

  play.addEventListener("click", () => {
    if (timer !== null) {
      stop();
      return;
    }
    if (slider.value === slider.max) slider.value = -1;
    play.textContent = "Pause";
    timer = window.setTimeout(step, 0);
  });
  slider.addEventListener("input", () => {
    stop();
    draw();
  });
  resolution.addEventListener("input", choosePlane);
  chooser.addEventListener("change", chooseEstimator);
  zoom.addEventListener("click", () => {
    zoom.setAttribute("aria-pressed", String(zoom.getAttribute("aria-pressed") !== "true"));
    draw();
  });
  dark.addEventListener("change", draw);
  for (const [event, state] of [["beforeprint", true], ["afterprint", false]]) {
    window.addEventListener(event, () => {
      printing = state;
      draw();
    });
  }
  chooseEstimator().then(() => {
    figure.on("plotly_legendclick", toggleAll);
    figure.on("plotly_legenddoubleclick", ({ data, curveNumber }) => !isKey(data[curveNumber]));
  });
})();
