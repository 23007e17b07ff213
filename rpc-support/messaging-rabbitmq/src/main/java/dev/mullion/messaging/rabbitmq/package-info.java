/** RabbitMQ as an engine of messaging. */
@NullMarked
package dev.mullion.messaging.rabbitmq;

import org.jspecify.annotations.NullMarked;
