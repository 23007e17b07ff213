package dev.mullion.messaging.testing;

import static java.util.stream.Collectors.joining;

import dev.mullion.messaging.EmbeddedEngine;
import dev.mullion.messaging.Guarantees;
import java.lang.reflect.RecordComponent;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;

/** How the READMEs show {@link Guarantees}. */
public final class GuaranteesTable {
  private GuaranteesTable() {}

  /** Returns a column for each pattern and a line for each promise. */
  public static String of(List<Guarantees> rows) {
    StringBuilder table = new StringBuilder("| |");
    rows.forEach(row -> table.append(' ').append(words(row.pattern())).append(" |"));
    table.append("\n| --- |").append(" --- |".repeat(rows.size())).append('\n');
    for (RecordComponent promise : promises()) {
      table.append("| ").append(name(promise)).append(" |");
      rows.forEach(row -> table.append(' ').append(value(promise, row)).append(" |"));
      table.append('\n');
    }
    return table.toString();
  }

  /** Returns the lines of what two engines promise differently for a pattern. */
  public static String differences(Guarantees here, Guarantees there) {
    return promises().stream()
        .filter(promise -> !value(promise, here).equals(value(promise, there)))
        .map(promise -> "| " + words(here.pattern()) + ": " + name(promise) + " | "
            + value(promise, here) + " | " + value(promise, there) + " |\n")
        .collect(joining());
  }

  /**
   * Returns what a table, whose columns are engines, gets wrong of one of them. Its first engine is
   * the one in memory, and it has a line for each promise in which one of the engines differs.
   *
   * @param text a text with the table, whose lines begin as {@code | push pull: durability |}, or
   *     {@code | all: wildcards |} for all patterns
   */
  public static List<String> mistakes(String text, String engine, List<Guarantees> rows) {
    List<Guarantees> inMemory = EmbeddedEngine.inMemory().guarantees();
    Map<String, Map<String, String>> shown = engines(text);
    List<String> mistakes = new ArrayList<>();
    for (int i = 0; i < rows.size(); i++) {
      for (RecordComponent promise : promises()) {
        String line = words(rows.get(i).pattern()) + ": " + name(promise);
        String usual = value(promise, inMemory.get(i));
        String here = value(promise, rows.get(i));
        Map<String, String> values =
            shown.getOrDefault(line, shown.getOrDefault("all: " + name(promise), Map.of()));
        String told = values.getOrDefault(engine, usual);
        if (!told.equals(here)) {
          mistakes.add(line + " of " + engine + " is " + here + ", not " + told);
        }
      }
    }
    return mistakes;
  }

  /** Returns value by engine by line. */
  private static Map<String, Map<String, String>> engines(String text) {
    Map<String, Map<String, String>> all = new LinkedHashMap<>();
    List<String> head = List.of();
    for (String line : text.lines().toList()) {
      List<String> cells = Arrays.stream(line.split("\\|")).map(String::strip).toList();
      if (line.startsWith("| | in memory |")) {
        head = cells;
      } else if (cells.size() == head.size() && cells.get(1).contains(": ")) {
        Map<String, String> values = all.computeIfAbsent(cells.get(1), key -> new HashMap<>());
        for (int i = 2; i < cells.size(); i++) {
          values.put(head.get(i), cells.get(i));
        }
      }
    }
    return all;
  }

  private static List<RecordComponent> promises() {
    return Arrays.stream(Guarantees.class.getRecordComponents()).skip(1).toList();
  }

  /** {@code ifSenderDies} as {@code if sender dies}. */
  private static String name(RecordComponent promise) {
    return promise.getName().replaceAll("([A-Z])", " $1").toLowerCase(Locale.ROOT);
  }

  private static String value(RecordComponent promise, Guarantees row) {
    try {
      return shown(Objects.requireNonNull(promise.getAccessor().invoke(row)));
    } catch (ReflectiveOperationException e) {
      throw new LinkageError("guarantees are readable", e);
    }
  }

  private static String shown(Object value) {
    if (value instanceof Collection<?> several) {
      String all = several.stream().map(each -> "`" + each + "`").sorted().collect(joining(", "));
      return all.isEmpty() ? "none" : all;
    }
    if (value instanceof Duration time) {
      return time.isZero() ? "0" : time.toMillis() + " ms";
    }
    if (value instanceof Boolean holds) {
      return holds ? "yes" : "no";
    }
    return words(value);
  }

  private static String words(Object constant) {
    return constant.toString().replace('_', ' ').toLowerCase(Locale.ROOT);
  }
}
