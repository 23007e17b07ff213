package dev.mullion.messaging;

import static java.util.Objects.requireNonNull;

/**
 * An address of fire-and-forget: one of those that receive it gets each message, or nobody does.
 *
 * @param name the signal's name
 * @param codec the codec of its payloads
 * @param <T> the payload's type
 */
public record Signal<T>(String name, MessageCodec<T> codec) {

  /** Checks the name. */
  public Signal {
    Names.checkName("name", name);
    requireNonNull(codec, "codec");
  }

  /** Returns a signal. */
  public static <T> Signal<T> of(String name, MessageCodec<T> codec) {
    return new Signal<>(name, codec);
  }
}
