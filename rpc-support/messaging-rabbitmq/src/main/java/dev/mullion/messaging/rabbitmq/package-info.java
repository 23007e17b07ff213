/**
 * RabbitMQ as an engine of messaging: {@link dev.mullion.messaging.rabbitmq.RabbitMqEngine}.
 *
 * <pre>{@code
 *  push ------> queue.NAME  <---- time passed ---- delay.MILLIS.NAME
 *                  | | '-- failed: a copy ---------------^
 *                  | '---- fetched by a worker that died ---> suspect.NAME
 *                  '------ buried, expired -----------------> dead.NAME
 *  publish ---> topics (exchange) ---> queue.TOPIC/GROUP, live subscribers
 *  request ---> subject.NAME           reply by direct reply-to
 *  send ------> signal.NAME
 *  declarations (stream)               the first declaration of a queue wins
 * }</pre>
 */
@NullMarked
package dev.mullion.messaging.rabbitmq;

import org.jspecify.annotations.NullMarked;
