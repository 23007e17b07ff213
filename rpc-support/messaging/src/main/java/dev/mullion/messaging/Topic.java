package dev.mullion.messaging;

import static java.util.Objects.requireNonNull;

import dev.mullion.messaging.engine.Route;

/**
 * An address of publish-subscribe: words separated by dots, such as {@code orders.eu.paid}. A topic
 * with {@code *} (one word) or with {@code #} as its last word (none, one or more words) is a
 * pattern: it can be subscribed to, not published to.
 *
 * <pre>{@code
 *  subscribe(topic)          each subscriber gets what is published while it is there; at most once
 *  ---------------------------------------------------------------------------------------------
 *  pull(topic.group(name))   a work queue that the topic feeds: kept, shared, at least once
 * }</pre>
 *
 * @param name the topic's name
 * @param codec the codec of its payloads
 * @param <T> the payload's type
 */
public record Topic<T>(String name, MessageCodec<T> codec) {

  /** Checks the name. */
  public Topic {
    Names.checkTopic(name);
    requireNonNull(codec, "codec");
  }

  /** Returns a topic. */
  public static <T> Topic<T> of(String name, MessageCodec<T> codec) {
    return new Topic<>(name, codec);
  }

  /** Returns whether this is a pattern. */
  public boolean isPattern() {
    return route().isPattern();
  }

  /** Returns a topic of the same type under another name, such as {@code prices.eur}. */
  public Topic<T> named(String other) {
    return new Topic<>(other, codec);
  }

  /** Returns the queue of those who share this topic's messages under a name, with its defaults. */
  public WorkQueue<T> group(String name) {
    return groupBuilder(name).build();
  }

  /** Returns a builder of such a queue. */
  public WorkQueue.Builder<T> groupBuilder(String name) {
    return WorkQueue.fedBy(this, name);
  }

  Route.Topic route() {
    return new Route.Topic(name);
  }
}
