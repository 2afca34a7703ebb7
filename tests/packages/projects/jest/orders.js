const { apiTelemetry } = require('@emp/events');

/** Something a service does. */
exports.order = (id) => apiTelemetry.jobEvent(id, 'job.created', { jobType: 'order' });
