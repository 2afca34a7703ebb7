//! What kinds of jobs there are, and what their connectors complain about.

use super::chance::Length;

/// A kind of job.
#[derive(Debug)]
pub(super) struct JobKind {
    /// `jobType`.
    pub name: &'static str,
    /// `queueName`.
    pub queue: &'static str,
    /// What does the work.
    pub connector: &'static Connector,
    /// How often it is asked for, compared with the others.
    pub weight: u32,
    /// How long the connector works.
    pub processing: Length,
    /// `details` of its progress, in order.
    pub steps: &'static [&'static str],
    /// `hasAssets` of its result.
    pub has_assets: bool,
}

/// What a worker hands a job to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Connector {
    /// `connectorType`.
    pub name: &'static str,
    /// Errors that a retry may mend.
    pub passing_errors: &'static [&'static str],
    /// Errors of the job itself.
    pub lasting_errors: &'static [&'static str],
}

/// Its outage is the retry storm that can be planted, and so is its new error.
pub(super) static COMFYUI: Connector = Connector {
    name: "comfyui",
    passing_errors: &[
        "CUDA out of memory. Tried to allocate 2.50 GiB (GPU 0; 23.69 GiB total capacity)",
        "WebSocket closed: code 1006",
        "timeout of 300000ms exceeded",
    ],
    lasting_errors: &[
        "Prompt outputs failed validation: node 7 \"KSampler\": value not in list: sampler_name",
        "Model not found: C:\\models\\sdxl_base.safetensors",
    ],
};

/// It is the one that can be planted as slow.
pub(super) static OPENAI: Connector = Connector {
    name: "openai",
    passing_errors: &[
        "HTTP 429: {\"error\":{\"code\":\"rate_limit_exceeded\"}}",
        "HTTP 503: upstream connect error",
        "socket hang up\n    at TLSSocket.onHangUp (node:_tls_wrap:1137:19)",
    ],
    lasting_errors: &["HTTP 400: {\"error\":{\"code\":\"context_length_exceeded\"}}"],
};

static UPSCALER: Connector = Connector {
    name: "a1111",
    passing_errors: &["connect ECONNRESET 127.0.0.1:7860", "CUDA error: device-side assert triggered"],
    lasting_errors: &["Unsupported image format: image/heic"],
};

static SPEECH: Connector = Connector {
    name: "speech",
    passing_errors: &["HTTP 502: Bad Gateway", "voice cache miss: lock held by another process"],
    lasting_errors: &["Unknown voice: “Zoë”"],
};

/// Every kind of job.
pub(super) static JOB_KINDS: &[JobKind] = &[
    JobKind {
        name: "image_generation",
        queue: "default",
        connector: &COMFYUI,
        weight: 40,
        processing: Length::new(16_000.0, 0.45),
        steps: &["Loading checkpoint", "Sampling 10/30", "Sampling 20/30", "Decoding latents", "Saving image"],
        has_assets: true,
    },
    JobKind {
        name: "text_completion",
        queue: "default",
        connector: &OPENAI,
        weight: 24,
        processing: Length::new(4_000.0, 0.55),
        steps: &["Request sent", "First token", "Streaming", "Streaming", "Finish reason: \"stop\""],
        has_assets: false,
    },
    JobKind {
        name: "image_upscale",
        queue: "default",
        connector: &UPSCALER,
        weight: 16,
        processing: Length::new(7_000.0, 0.35),
        steps: &["Tile 1/4", "Tile 2/4", "Tile 3/4", "Tile 4/4", "Saving image"],
        has_assets: true,
    },
    JobKind {
        name: "speech_synthesis",
        queue: "default",
        connector: &SPEECH,
        weight: 12,
        processing: Length::new(6_000.0, 0.5),
        steps: &["Normalising text", "Synthesising", "Mixing", "Encoding mp3", "Uploading"],
        has_assets: true,
    },
    JobKind {
        name: "video_generation",
        queue: "gpu-large",
        connector: &COMFYUI,
        weight: 8,
        processing: Length::new(85_000.0, 0.5),
        steps: &["Loading checkpoint", "Frames 16/64", "Frames 32/64", "Frames 64/64", "Muxing"],
        has_assets: true,
    },
];

/// The kind of that name; the first where there is none.
pub(super) fn kind_named(name: &str) -> &'static JobKind {
    JOB_KINDS.iter().find(|kind| kind.name == name).unwrap_or(&JOB_KINDS[0])
}
