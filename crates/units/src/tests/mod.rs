mod amounts;
mod moments;
mod shown;
