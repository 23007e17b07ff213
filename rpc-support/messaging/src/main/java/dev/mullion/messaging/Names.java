package dev.mullion.messaging;

import static java.util.Objects.requireNonNull;

import java.util.regex.Pattern;

/** Names that all engines accept: words of letters, digits and hyphens, separated by dots. */
final class Names {
  private static final int MAX_LENGTH = 200;
  private static final Pattern WORD = Pattern.compile("[a-zA-Z0-9-]+");

  private Names() {}

  static String checkName(String parameter, String name) {
    for (String word : words(parameter, name)) {
      checkWord(parameter, name, word);
    }
    return name;
  }

  /** Checks a topic or pattern: {@code *} stands for one word, {@code #} at the end for any. */
  static String checkTopic(String name) {
    String[] words = words("name", name);
    for (int i = 0; i < words.length; i++) {
      boolean last = i == words.length - 1;
      if (!words[i].equals("*") && !(last && words[i].equals("#"))) {
        checkWord("name", name, words[i]);
      }
    }
    return name;
  }

  private static String[] words(String parameter, String name) {
    if (requireNonNull(name, parameter).isEmpty() || name.length() > MAX_LENGTH) {
      throw invalid(parameter, name);
    }
    return name.split("\\.", -1);
  }

  private static void checkWord(String parameter, String name, String word) {
    if (!WORD.matcher(word).matches()) {
      throw invalid(parameter, name);
    }
  }

  private static IllegalArgumentException invalid(String parameter, String name) {
    return new IllegalArgumentException(parameter + ": \"" + name + "\" (expected: 1 to "
        + MAX_LENGTH + " characters, words of a-z, A-Z, 0-9 and - separated by dots; in topics to"
        + " subscribe to, * for a word, and # as the last word)");
  }
}
