package dev.mullion.framing.testing.comparison;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/**
 * Draws the results of a comparison as an SVG picture: {@code BarChart <results.csv> <chart.svg>}.
 * Each load has a group of bars, one for each server, as a ratio to the server compared with. The
 * colors follow the reader's choice of light or dark.
 */
public final class BarChart {
  private static final int WIDTH = 800;
  private static final int HEIGHT = 360;
  private static final int LEFT = 50;
  private static final int TOP = 70;
  private static final int BOTTOM = 50;
  private static final int RIGHT = 10;

  private static final String STYLE = """
      <style>
        text { font: 12px sans-serif; fill: #1f2328 }
        .title { font-size: 14px; font-weight: bold }
        .value { font-size: 10px }
        .ground { fill: #ffffff }
        .line { stroke: #d1d9e0 }
        .one { stroke: #59636e; stroke-dasharray: 4 3 }
        .s0 { fill: #0969da }
        .s1 { fill: #bf8700 }
        .s2 { fill: #8c959f }
        .s3 { fill: #1a7f37 }
        @media (prefers-color-scheme: dark) {
          text { fill: #f0f6fc }
          .ground { fill: #0d1117 }
          .line { stroke: #3d444d }
          .one { stroke: #9198a1 }
          .s0 { fill: #4493f8 }
          .s1 { fill: #d29922 }
          .s2 { fill: #6e7681 }
          .s3 { fill: #3fb950 }
        }
      </style>
      """;

  private final Results results;
  private final double top;
  private final StringBuilder svg = new StringBuilder();

  private BarChart(Results results) {
    this.results = results;
    double greatest = 1;
    for (String load : results.loads()) {
      for (String server : results.servers()) {
        greatest = Math.max(greatest, results.ratio(load, server).median());
      }
    }
    top = greatest * 1.1;
  }

  /** Reads the one file and writes the other. */
  public static void main(String[] arguments) throws IOException {
    if (arguments.length != 2) {
      System.err.println("usage: BarChart RESULTS.csv CHART.svg");
      System.exit(2);
    }
    Files.writeString(Path.of(arguments[1]), of(Results.read(Path.of(arguments[0]))));
  }

  /** Returns the picture. */
  public static String of(Results results) {
    return new BarChart(results).draw();
  }

  private String draw() {
    String title = results.header("title") + ", as a ratio to " + results.header("base");
    line(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" role=\"img\""
            + " aria-label=\"%s\">",
        WIDTH, HEIGHT, escaped(title));
    svg.append(STYLE);
    line("<rect class=\"ground\" width=\"%d\" height=\"%d\"/>", WIDTH, HEIGHT);
    line("<text class=\"title\" x=\"%d\" y=\"22\">%s</text>", LEFT, escaped(title));
    legend();
    axis();
    double group = (double) (WIDTH - LEFT - RIGHT) / results.loads().size();
    for (int i = 0; i < results.loads().size(); i++) {
      bars(results.loads().get(i), LEFT + i * group, group);
    }
    line(
        "<line class=\"one\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>",
        LEFT, WIDTH - RIGHT, y(1), y(1));
    return svg.append("</svg>\n").toString();
  }

  private void legend() {
    List<String> servers = results.servers();
    int x = LEFT;
    for (int i = 0; i < servers.size(); i++) {
      line("<rect class=\"s%d\" x=\"%d\" y=\"34\" width=\"12\" height=\"12\"/>", i, x);
      line("<text x=\"%d\" y=\"45\">%s</text>", x + 17, escaped(servers.get(i)));
      x += 45 + 7 * servers.get(i).length();
    }
  }

  private void axis() {
    double step = top > 5 ? 1 : top > 2.5 ? 0.5 : 0.25;
    for (int i = 0; i * step <= top; i++) {
      double y = y(i * step);
      line(
          "<line class=\"line\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>",
          LEFT, WIDTH - RIGHT, y, y);
      line("<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.2f</text>", LEFT - 6, y + 4, i * step);
    }
  }

  private void bars(String load, double left, double width) {
    List<String> servers = results.servers();
    double bar = Math.min(48, width * 0.86 / servers.size());
    double x = left + (width - bar * servers.size()) / 2;
    for (int i = 0; i < servers.size(); i++) {
      double ratio = results.ratio(load, servers.get(i)).median();
      line(
          "<rect class=\"s%d\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>",
          i, x, y(ratio), bar - 2, y(0) - y(ratio));
      line(
          "<text class=\"value\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%.2f</text>",
          x + bar / 2 - 1, y(ratio) - 4, ratio);
      x += bar;
    }
    String[] label = load.split(" ", 2);
    for (int i = 0; i < label.length; i++) {
      line(
          "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>",
          left + width / 2, HEIGHT - BOTTOM + 18 + 16 * i, escaped(label[i]));
    }
  }

  private double y(double ratio) {
    return HEIGHT - BOTTOM - ratio / top * (HEIGHT - BOTTOM - TOP);
  }

  private void line(String format, Object... values) {
    svg.append(String.format(Locale.ROOT, format, values)).append('\n');
  }

  private static String escaped(String text) {
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("\"", "&quot;");
  }
}
