/**
 * A messaging engine on Kafka.
 *
 * <pre>{@code
 *  push      -> queue.NAME ---------> share group NAME --> worker
 *                  ^                                         | fails
 *                  |        due                              v
 *                  +------- retry-MILLIS.NAME <--------------+---> dead.NAME
 *
 *  publish   -> FIRST-WORD --+------> live subscribers, each reads all
 *                            +------> group-feed --> queue of the group, as above
 *
 *  request   -> subject.NAME -------> share group NAME --> replier --> replies --> caller
 *  send      -> signal.NAME --------> share group NAME --> receiver
 * }</pre>
 *
 * <p>Start with {@link dev.mullion.messaging.kafka.KafkaEngine}.
 */
@NullMarked
package dev.mullion.messaging.kafka;

import org.jspecify.annotations.NullMarked;
