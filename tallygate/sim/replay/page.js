"use strict";
(() => {
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  const colours = () => {
    const style = getComputedStyle(document.documentElement);
    return (name) => style.getPropertyValue(`--${name}`).trim();
  };

  const narrow = () => window.innerWidth < 600;

  const axis = (colour, title, more) => ({
    title: { text: title, font: { size: 12 }, standoff: 8 },
    gridcolor: colour("line"),
    linecolor: colour("line"),
    zeroline: false,
    automargin: true,
    fixedrange: true,
    ...more,
  });

  const layout = (colour, height, more) => ({
    height,
    margin: { l: 8, r: 12, t: 8, b: 8 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("quiet") },
    hoverlabel: { bgcolor: colour("panel"), bordercolor: colour("line"), font: { color: colour("text") } },
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { color: colour("text") } },
    dragmode: false,
    ...more,
  });

  const overTime = (chart, colour) => ({
    data: [
      { type: "bar", name: "admitted", x: chart.at, y: chart.admitted, marker: { color: colour("admitted") } },
      { type: "bar", name: "refused", x: chart.at, y: chart.refused, marker: { color: colour("refused") } },
    ].map((trace) => ({ ...trace, offset: 0, width: chart.step_ms, hovertemplate: "%{y:,} %{fullData.name}<extra></extra>" })),
    layout: layout(colour, 300, {
      barmode: "stack",
      bargap: 0.08,
      hovermode: "x unified",
      xaxis: axis(colour, "", { type: "date", showgrid: false, nticks: narrow() ? 3 : 6, tickangle: 0, hoverformat: "%Y-%m-%d %H:%M UTC" }),
      yaxis: axis(colour, `calls each ${chart.step}`, { rangemode: "tozero", separatethousands: true }),
    }),
  });

  const mostRefused = (chart, colour) => ({
    data: [
      { name: "admitted", x: chart.admitted, marker: { color: colour("admitted") } },
      { name: "refused", x: chart.refused, marker: { color: colour("refused") } },
    ].map((trace) => ({
      ...trace,
      type: "bar",
      orientation: "h",
      y: chart.names.map((_, place) => place),
      hovertemplate: "%{x:,} %{fullData.name}<extra></extra>",
    })),
    layout: layout(colour, 110 + 26 * chart.names.length, {
      barmode: "stack",
      bargap: 0.35,
      xaxis: axis(colour, "calls", { rangemode: "tozero", separatethousands: true, nticks: narrow() ? 4 : 8, tickangle: 0 }),
      yaxis: axis(colour, "", {
        autorange: "reversed",
        showgrid: false,
        tickvals: chart.names.map((_, place) => place),
        ticktext: chart.names,
      }),
    }),
  });

  const whichQuota = (chart, colour) => {
    const lines = ["first", "second", "third", "fourth"];
    return {
      data: chart.lines.map((line, place) => ({
        type: "scatter",
        mode: "lines",
        name: `per ${line.window}`,
        x: line.quota,
        y: line.percent,
        line: { color: colour(lines[place % lines.length]), width: 2, shape: "hv" },
        hovertemplate: "%{x:,} per " + line.window + ": %{y:.3~g} % of callers<extra></extra>",
      })),
      layout: layout(colour, 320, {
        hovermode: "closest",
        xaxis: axis(colour, "quota", { type: "log", dtick: 1, separatethousands: true, tickformat: ",~r" }),
        yaxis: axis(colour, "callers refused, %", { type: "log", dtick: 1, tickformat: "~r" }),
        shapes: chart.quotas.map((quota) => ({
          type: "line", xref: "x", yref: "paper", x0: quota.quota, x1: quota.quota, y0: 0, y1: 1,
          line: { color: colour("quiet"), width: 1, dash: "dot" },
        })),
        annotations: chart.quotas.map((quota) => ({
          xref: "x", yref: "paper", x: Math.log10(quota.quota), y: 1, text: quota.name, textangle: -90, showarrow: false,
          xanchor: "right", yanchor: "top", font: { size: 11, color: colour("quiet") },
        })),
      }),
    };
  };

  const kinds = { over_time: overTime, most_refused: mostRefused, which_quota: whichQuota };

  const draw = () => {
    const colour = colours();
    for (const chart of charts) {
      const made = kinds[chart.kind](chart, colour);
      Plotly.react(chart.id, made.data, made.layout, { displayModeBar: false, responsive: true, scrollZoom: false });
    }
  };

  dark.addEventListener("change", draw);
  draw();
})();
