package dev.mullion.messaging;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What is subscribed, by the words of its topic or pattern: {@code *} stands for one word, and
 * {@code #} at the end for none or more. Finding what matches a topic does not look at the rest.
 * Not safe for several threads.
 *
 * @param <T> what is subscribed
 */
final class TopicTree<T> {
  private final Node<T> root = new Node<>();

  void add(String pattern, T subscribed) {
    Node<T> node = root;
    for (String word : words(pattern)) {
      node = node.children.computeIfAbsent(word, absent -> new Node<>());
    }
    node.here.add(subscribed);
  }

  void remove(String pattern, T subscribed) {
    remove(root, words(pattern), 0, subscribed);
  }

  /** Removes it below a node; returns whether that node is empty now. */
  private boolean remove(Node<T> node, String[] words, int index, T subscribed) {
    if (index == words.length) {
      node.here.remove(subscribed);
    } else {
      Node<T> child = node.children.get(words[index]);
      if (child != null && remove(child, words, index + 1, subscribed)) {
        node.children.remove(words[index]);
      }
    }
    return node.here.isEmpty() && node.children.isEmpty();
  }

  /** Returns what matches a topic. */
  List<T> match(String topic) {
    List<T> found = new ArrayList<>();
    match(root, words(topic), 0, found);
    return found;
  }

  private void match(@Nullable Node<T> node, String[] words, int index, List<T> found) {
    if (node == null) {
      return;
    }
    Node<T> rest = node.children.get("#");
    if (rest != null) {
      found.addAll(rest.here);
    }
    if (index == words.length) {
      found.addAll(node.here);
    } else {
      match(node.children.get(words[index]), words, index + 1, found);
      match(node.children.get("*"), words, index + 1, found);
    }
  }

  private static String[] words(String topic) {
    return topic.split("\\.", -1);
  }

  /** A word after others. */
  private static final class Node<T> {
    private final Map<String, Node<T>> children = new HashMap<>();
    private final List<T> here = new ArrayList<>();
  }
}
