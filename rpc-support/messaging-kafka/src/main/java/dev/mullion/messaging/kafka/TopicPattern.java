package dev.mullion.messaging.kafka;

import java.util.Arrays;

/** A topic or pattern, compared with names: {@code *} is one word, {@code #} any at the end. */
final class TopicPattern {
  private final String[] words;
  private final boolean open;

  TopicPattern(String pattern) {
    String[] all = pattern.split("\\.", -1);
    this.open = all[all.length - 1].equals("#");
    this.words = open ? Arrays.copyOf(all, all.length - 1) : all;
  }

  boolean matches(String name) {
    String[] given = name.split("\\.", -1);
    if (given.length < words.length || (!open && given.length > words.length)) {
      return false;
    }
    for (int i = 0; i < words.length; i++) {
      if (!words[i].equals("*") && !words[i].equals(given[i])) {
        return false;
      }
    }
    return true;
  }
}
